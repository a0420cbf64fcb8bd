// Gradient of a depthwise convolution (one input channel per group) in its weights: an invocation sums one tap of one
// output channel, row by row.
struct Dims {
  images: u32, groups: u32, m: u32, c: u32,
  in_h: u32, in_w: u32, out_h: u32, out_w: u32,
  kernel_h: u32, kernel_w: u32,
  stride_y: u32, stride_x: u32,
  pad_y: i32, pad_x: i32,
  dilation_y: u32, dilation_x: u32,
  x_planes: u32, x_repeat: u32, ct_planes: u32, ct_repeat: u32,
  invocations: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> ct: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// First and last + 1 of the outputs whose tap at input position o stride + shift lies inside [0, extent).
fn inside(shift: i32, stride: u32, extent: u32, outputs: u32) -> vec2<u32> {
  let low = u32(max(0, -shift) + i32(stride) - 1) / stride;
  let room = max(0, i32(extent) - shift);
  return vec2(low, min(outputs, (u32(room) + stride - 1u) / stride));
}

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = (wid.x + wid.y * groups.x) * 64u + lane;
  if (id >= dims.invocations) { return; }
  // One invocation per output element, in the order of the output [plane, group, m, tap].
  let kernel = dims.kernel_h * dims.kernel_w;
  let tap = id % kernel;
  let channel = id / kernel;
  let m = channel % dims.m;
  let group = channel / dims.m % dims.groups;
  let plane = channel / (dims.m * dims.groups);

  let shift_y = i32(tap / dims.kernel_w * dims.dilation_y) - dims.pad_y;
  let shift_x = i32(tap % dims.kernel_w * dims.dilation_x) - dims.pad_x;
  let ys = inside(shift_y, dims.stride_y, dims.in_h, dims.out_h);
  let xs = inside(shift_x, dims.stride_x, dims.in_w, dims.out_w);
  let x_image = (plane / dims.x_repeat) % dims.x_planes * dims.images;
  let ct_image = (plane / dims.ct_repeat) % dims.ct_planes * dims.images;
  var total = 0.0;
  for (var n = 0u; n < dims.images; n++) {
    let x_at = ((x_image + n) * dims.groups + group) * dims.in_h * dims.in_w;
    let ct_at = (((ct_image + n) * dims.groups + group) * dims.m + m) * dims.out_h * dims.out_w;
    for (var y = ys.x; y < ys.y; y++) {
      var row = 0.0;
      var i = x_at + u32(i32(y * dims.stride_y) + shift_y) * dims.in_w + u32(i32(xs.x * dims.stride_x) + shift_x);
      let o = ct_at + y * dims.out_w;
      for (var j = xs.x; j < xs.y; j++) {
        row += ct[o + j] * x[i];
        i += dims.stride_x;
      }
      total += row;
    }
  }
  store(id, total);
}
