// In the place of conv_quads.wgsl where invocations share nothing.
fn from0(v: vec4<f32>) -> vec4<f32> { return v; }
fn from1(v: vec4<f32>) -> vec4<f32> { return v; }
fn from2(v: vec4<f32>) -> vec4<f32> { return v; }
fn from3(v: vec4<f32>) -> vec4<f32> { return v; }
fn least(v: i32) -> i32 { return v; }
fn most(v: i32) -> i32 { return v; }
