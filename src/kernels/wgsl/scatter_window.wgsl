// Transpose of reading each window at one index: an input position collects from the windows that chose it.
struct Dims {
  in_h: u32, in_w: u32, out_h: u32, out_w: u32,
  kernel_h: u32, kernel_w: u32,
  stride_y: u32, stride_x: u32,
  pad_y: i32, pad_x: i32,
  dilation_y: u32, dilation_x: u32,
  index_planes: u32,
  elements: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> ct: array<f32>;
@group(0) @binding(2) var<storage, read> indices: array<i32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// First and last + 1 of the windows along one axis that may cover input position `at`.
fn covering(at: u32, pad: i32, extent: u32, stride: u32, windows: u32) -> vec2<u32> {
  let last = i32(at) + pad;
  let low = max(0, last - i32(extent) + i32(stride)) / i32(stride);
  return vec2(u32(low), min(windows, u32(last) / stride + 1u));
}

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = (wid.x + wid.y * groups.x) * 64u + lane;
  if (id >= dims.elements) { return; }
  let position = id % (dims.in_h * dims.in_w);
  let plane = id / (dims.in_h * dims.in_w);
  let ys = covering(position / dims.in_w, dims.pad_y, (dims.kernel_h - 1u) * dims.dilation_y + 1u, dims.stride_y, dims.out_h);
  let xs = covering(position % dims.in_w, dims.pad_x, (dims.kernel_w - 1u) * dims.dilation_x + 1u, dims.stride_x, dims.out_w);
  let size = dims.out_h * dims.out_w;
  let values_at = plane * size;
  let indices_at = plane % dims.index_planes * size;
  var total = 0.0;
  for (var y = ys.x; y < ys.y; y++) {
    for (var c = xs.x; c < xs.y; c++) {
      let i = y * dims.out_w + c;
      if (indices[indices_at + i] == i32(position)) { total += ct[values_at + i]; }
    }
  }
  store(id, total);
}
