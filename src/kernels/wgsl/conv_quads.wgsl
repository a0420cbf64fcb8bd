enable subgroups;
diagnostic(off, subgroup_uniformity); // Bounds of loops come from subgroupMin and subgroupMax.
// What each invocation of a subgroup of four holds, the least and the most of all.
fn from0(v: vec4<f32>) -> vec4<f32> { return quadBroadcast(v, 0u); }
fn from1(v: vec4<f32>) -> vec4<f32> { return quadBroadcast(v, 1u); }
fn from2(v: vec4<f32>) -> vec4<f32> { return quadBroadcast(v, 2u); }
fn from3(v: vec4<f32>) -> vec4<f32> { return quadBroadcast(v, 3u); }
fn least(v: i32) -> i32 { return subgroupMin(v); }
fn most(v: i32) -> i32 { return subgroupMax(v); }
