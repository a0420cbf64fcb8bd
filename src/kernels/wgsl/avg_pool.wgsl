// Mean of each window. Dilation is 1.
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
@group(0) @binding(1) var<storage, read> x: array<f32>;
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

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = (wid.x + wid.y * groups.x) * 64u + lane;
  if (id >= dims.elements) { return; }
  let plane = id / (dims.out_h * dims.out_w) * dims.in_h * dims.in_w;
  let ys = span(id / dims.out_w % dims.out_h, dims.stride_y, dims.pad_y, dims.kernel_h, dims.in_h, dims.pad_bottom);
  let xs = span(id % dims.out_w, dims.stride_x, dims.pad_x, dims.kernel_w, dims.in_w, dims.pad_right);
  var total = 0.0;
  for (var y = ys.low; y < ys.high; y++) {
    // Rows are summed on their own: less rounding in large windows.
    var row = 0.0;
    for (var c = xs.low; c < xs.high; c++) { row += x[plane + y * dims.in_w + c]; }
    total += row;
  }
  store(id, total / (ys.count * xs.count));
}
