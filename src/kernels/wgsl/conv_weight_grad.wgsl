// Gradient of a convolution in its weights: out[o, c, t] = sum over n, y of ct[n, o, y] x[n, c, y stride - pad + t dilation].
// An invocation computes 8 output channels x 4 input channels at one tap. Each row is summed on its own, which keeps the
// rounding error of the long sum small; the columns that fall on padding are left out of the loop beforehand.
struct Dims {
  images: u32, groups: u32, m: u32, c: u32,
  in_h: u32, in_w: u32, out_h: u32, out_w: u32,
  kernel_h: u32, kernel_w: u32,
  stride_y: u32, stride_x: u32,
  pad_y: i32, pad_x: i32,
  dilation_y: u32, dilation_x: u32,
  m_tiles: u32, c_tiles: u32,
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
  let kernel = dims.kernel_h * dims.kernel_w;
  var rest = id;
  let c0 = (rest % dims.c_tiles) * 4u; rest /= dims.c_tiles;
  let m0 = (rest % dims.m_tiles) * 8u; rest /= dims.m_tiles;
  let tap = rest % kernel; rest /= kernel;
  let group = rest % dims.groups;
  let plane = rest / dims.groups;

  let shift_y = i32(tap / dims.kernel_w * dims.dilation_y) - dims.pad_y;
  let shift_x = i32(tap % dims.kernel_w * dims.dilation_x) - dims.pad_x;
  let ys = inside(shift_y, dims.stride_y, dims.in_h, dims.out_h);
  let xs = inside(shift_x, dims.stride_x, dims.in_w, dims.out_w);
  let in_size = dims.in_h * dims.in_w;
  let out_size = dims.out_h * dims.out_w;
  let top_m = dims.m - 1u;
  let top_c = dims.c - 1u;
  let o1 = (min(m0 + 1u, top_m) - m0) * out_size;
  let o2 = (min(m0 + 2u, top_m) - m0) * out_size;
  let o3 = (min(m0 + 3u, top_m) - m0) * out_size;
  let o4 = (min(m0 + 4u, top_m) - m0) * out_size;
  let o5 = (min(m0 + 5u, top_m) - m0) * out_size;
  let o6 = (min(m0 + 6u, top_m) - m0) * out_size;
  let o7 = (min(m0 + 7u, top_m) - m0) * out_size;
  let i1 = (min(c0 + 1u, top_c) - c0) * in_size;
  let i2 = (min(c0 + 2u, top_c) - c0) * in_size;
  let i3 = (min(c0 + 3u, top_c) - c0) * in_size;

  var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>();
  var s4 = vec4<f32>(); var s5 = vec4<f32>(); var s6 = vec4<f32>(); var s7 = vec4<f32>();
  let x_image = (plane / dims.x_repeat) % dims.x_planes * dims.images;
  let ct_image = (plane / dims.ct_repeat) % dims.ct_planes * dims.images;
  for (var n = 0u; n < dims.images; n++) {
    let x_at = (((x_image + n) * dims.groups + group) * dims.c + c0) * in_size;
    let ct_at = (((ct_image + n) * dims.groups + group) * dims.m + m0) * out_size;
    for (var y = ys.x; y < ys.y; y++) {
      var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
      var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
      var i = x_at + u32(i32(y * dims.stride_y) + shift_y) * dims.in_w + u32(i32(xs.x * dims.stride_x) + shift_x);
      let o = ct_at + y * dims.out_w;
      for (var j = xs.x; j < xs.y; j++) {
        let v = vec4(x[i], x[i + i1], x[i + i2], x[i + i3]);
        let at = o + j;
        a0 += ct[at] * v;
        a1 += ct[at + o1] * v;
        a2 += ct[at + o2] * v;
        a3 += ct[at + o3] * v;
        a4 += ct[at + o4] * v;
        a5 += ct[at + o5] * v;
        a6 += ct[at + o6] * v;
        a7 += ct[at + o7] * v;
        i += dims.stride_x;
      }
      s0 += a0; s1 += a1; s2 += a2; s3 += a3; s4 += a4; s5 += a5; s6 += a6; s7 += a7;
    }
  }

  var tile = array<vec4<f32>, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
  let channel = (plane * dims.groups + group) * dims.m + m0;
  for (var r = 0u; r < min(8u, dims.m - m0); r++) {
    for (var j = 0u; j < min(4u, dims.c - c0); j++) {
      store(((channel + r) * dims.c + c0 + j) * kernel + tap, tile[r][j]);
    }
  }
}
