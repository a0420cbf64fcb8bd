// As argmax_window.wgsl, for windows of 2 x 2 that start in even columns, in planes of even width without padding.
struct Dims {
  in_h: u32, in_w: u32, out_h: u32, out_w: u32,
  kernel_h: u32, kernel_w: u32,
  stride_y: u32, stride_x: u32,
  pad_y: i32, pad_x: i32,
  dilation_y: u32, dilation_x: u32,
  elements: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

fn store(i: u32, v: i32) { out[i] = v; } // fuse

// By its bits: compilers fold v != v to false.
fn is_nan(v: f32) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }

// Whether a later element replaces an earlier one.
fn wins(v: f32, best: f32) -> bool { return v > best || (is_nan(v) && !is_nan(best)); }

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = (wid.x + wid.y * groups.x) * 64u + lane;
  if (id >= dims.elements) { return; }
  let row = id / dims.out_w;
  let plane = row / dims.out_h;
  let at = (row - plane * dims.out_h) * dims.stride_y * dims.in_w + (id - row * dims.out_w) * dims.stride_x;
  let first = (plane * dims.in_h * dims.in_w + at) / 2u;
  let top = x[first];
  let bottom = x[first + dims.in_w / 2u];
  let right = vec2<bool>(wins(top.y, top.x), wins(bottom.y, bottom.x));
  let best = select(vec2<f32>(top.x, bottom.x), vec2<f32>(top.y, bottom.y), right);
  let lower = wins(best.y, best.x);
  store(id, i32(at + select(0u, dims.in_w, lower) + u32(select(right.x, right.y, lower))));
}
