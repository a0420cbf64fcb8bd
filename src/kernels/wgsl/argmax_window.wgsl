// Position y W + x, within its plane, of the first maximum of each window; a NaN wins, padding never does.
struct Dims {
  in_h: u32, in_w: u32, out_h: u32, out_w: u32,
  kernel_h: u32, kernel_w: u32,
  stride_y: u32, stride_x: u32,
  pad_y: i32, pad_x: i32,
  dilation_y: u32, dilation_x: u32,
  elements: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

fn store(i: u32, v: i32) { out[i] = v; } // fuse

// By its bits: compilers fold v != v to false.
fn is_nan(v: f32) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }

// Taps before the first one inside the input: pads are positive, so only the start can lie outside on this side.
fn skipped(start: i32, dilation: u32) -> i32 { return (max(0, -start) + i32(dilation) - 1) / i32(dilation) * i32(dilation); }

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = (wid.x + wid.y * groups.x) * 64u + lane;
  if (id >= dims.elements) { return; }
  let plane = id / (dims.out_h * dims.out_w) * dims.in_h * dims.in_w;
  let start_y = i32(id / dims.out_w % dims.out_h * dims.stride_y) - dims.pad_y;
  let start_x = i32(id % dims.out_w * dims.stride_x) - dims.pad_x;
  let low_y = u32(start_y + skipped(start_y, dims.dilation_y));
  let low_x = u32(start_x + skipped(start_x, dims.dilation_x));
  let end_y = min(dims.in_h, u32(max(0, start_y + i32(dims.kernel_h * dims.dilation_y))));
  let end_x = min(dims.in_w, u32(max(0, start_x + i32(dims.kernel_w * dims.dilation_x))));
  // Starting from an element instead of -infinity: all elements may be -infinity.
  var at = low_y * dims.in_w + low_x;
  var best = x[plane + at];
  for (var y = low_y; y < end_y; y += dims.dilation_y) {
    for (var c = low_x; c < end_x; c += dims.dilation_x) {
      let i = y * dims.in_w + c;
      let v = x[plane + i];
      if (v > best || (is_nan(v) && !is_nan(best))) { best = v; at = i; }
    }
  }
  store(id, i32(at));
}
