// Transpose of the mean of each window: an input position collects from the windows that cover it. Dilation is 1.
struct Dims {
  in_h: u32, in_w: u32, out_h: u32, out_w: u32,
  kernel_h: u32, kernel_w: u32,
  stride_y: u32, stride_x: u32,
  pad_y: i32, pad_x: i32,
  dilation_y: u32, dilation_x: u32,
  pad_bottom: u32, pad_right: u32,
  count_pad: u32,
  elements: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> ct: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// First and last + 1 of a window's elements along one axis, and how many it is divided by.
struct Span { low: u32, high: u32, count: f32 }

fn span(o: u32, stride: u32, pad: i32, kernel: u32, extent: u32, pad_after: u32) -> Span {
  let start = i32(o * stride) - pad;
  let end = start + i32(kernel);
  let low = max(0, start);
  let high = min(end, i32(extent));
  let counted = select(high - low, min(end, i32(extent + pad_after)) - start, dims.count_pad == 1u);
  return Span(u32(low), u32(high), f32(counted));
}

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
  let plane = id / (dims.in_h * dims.in_w) * dims.out_h * dims.out_w;
  let ys = covering(id / dims.in_w % dims.in_h, dims.pad_y, dims.kernel_h, dims.stride_y, dims.out_h);
  let xs = covering(id % dims.in_w, dims.pad_x, dims.kernel_w, dims.stride_x, dims.out_w);
  var total = 0.0;
  for (var y = ys.x; y < ys.y; y++) {
    let rows = span(y, dims.stride_y, dims.pad_y, dims.kernel_h, dims.in_h, dims.pad_bottom).count;
    for (var c = xs.x; c < xs.y; c++) {
      let columns = span(c, dims.stride_x, dims.pad_x, dims.kernel_w, dims.in_w, dims.pad_right).count;
      total += ct[plane + y * dims.out_w + c] / (rows * columns);
    }
  }
  store(id, total);
}
