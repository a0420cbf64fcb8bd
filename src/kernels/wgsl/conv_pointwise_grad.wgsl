// Transpose of a 1x1 convolution (stride 1, no padding) in x: out[n, m, p] = sum over k of w[k, m] in[n, k, p].
// 8 channels x 8 pixels per invocation, vec4 loads along the pixels and along m: both counts are multiples of 4.
struct Dims {
  images: u32, groups: u32, m: u32, k: u32,
  pixels: u32, m_tiles: u32, p_tiles: u32,
  in_planes: u32, in_repeat: u32, w_planes: u32, w_repeat: u32,
  invocations: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = (wid.x + wid.y * groups.x) * 64u + lane;
  if (id >= dims.invocations) { return; }
  var rest = id;
  let p0 = (rest % dims.p_tiles) * 8u; rest /= dims.p_tiles;
  let m0 = (rest % dims.m_tiles) * 8u; rest /= dims.m_tiles;
  let group = rest % dims.groups; rest /= dims.groups;
  let image = rest % dims.images;
  let plane = rest / dims.images;

  let quads = dims.pixels / 4u;
  let in_plane = (plane / dims.in_repeat) % dims.in_planes;
  var xp = ((in_plane * dims.images + image) * dims.groups + group) * dims.k * quads + p0 / 4u;
  let second = select(0u, 1u, p0 + 4u < dims.pixels);
  let w_plane = ((plane / dims.w_repeat) % dims.w_planes * dims.groups + group) * dims.m * dims.k / 4u;
  var wp = w_plane + m0 / 4u;
  let w_next = select(0u, 1u, m0 + 4u < dims.m);
  let w_row = dims.m / 4u;

  // Blocks of channels are summed apart, which keeps rounding errors small.
  var s0 = vec4<f32>(); var t0 = vec4<f32>();
  var s1 = vec4<f32>(); var t1 = vec4<f32>();
  var s2 = vec4<f32>(); var t2 = vec4<f32>();
  var s3 = vec4<f32>(); var t3 = vec4<f32>();
  var s4 = vec4<f32>(); var t4 = vec4<f32>();
  var s5 = vec4<f32>(); var t5 = vec4<f32>();
  var s6 = vec4<f32>(); var t6 = vec4<f32>();
  var s7 = vec4<f32>(); var t7 = vec4<f32>();
  for (var first = 0u; first < dims.k; first += 32u) {
    var a0 = vec4<f32>(); var b0 = vec4<f32>();
    var a1 = vec4<f32>(); var b1 = vec4<f32>();
    var a2 = vec4<f32>(); var b2 = vec4<f32>();
    var a3 = vec4<f32>(); var b3 = vec4<f32>();
    var a4 = vec4<f32>(); var b4 = vec4<f32>();
    var a5 = vec4<f32>(); var b5 = vec4<f32>();
    var a6 = vec4<f32>(); var b6 = vec4<f32>();
    var a7 = vec4<f32>(); var b7 = vec4<f32>();
    for (var k = first; k < min(first + 32u, dims.k); k++) {
      let x0 = x[xp]; let y0 = x[xp + second];
      let v = w[wp]; let u = w[wp + w_next];
      a0 += v.x * x0; b0 += v.x * y0;
      a1 += v.y * x0; b1 += v.y * y0;
      a2 += v.z * x0; b2 += v.z * y0;
      a3 += v.w * x0; b3 += v.w * y0;
      a4 += u.x * x0; b4 += u.x * y0;
      a5 += u.y * x0; b5 += u.y * y0;
      a6 += u.z * x0; b6 += u.z * y0;
      a7 += u.w * x0; b7 += u.w * y0;
      xp += quads;
      wp += w_row;
    }
    s0 += a0; t0 += b0;
    s1 += a1; t1 += b1;
    s2 += a2; t2 += b2;
    s3 += a3; t3 += b3;
    s4 += a4; t4 += b4;
    s5 += a5; t5 += b5;
    s6 += a6; t6 += b6;
    s7 += a7; t7 += b7;
  }

  var tile = array<vec4<f32>, 16>(s0, t0, s1, t1, s2, t2, s3, t3, s4, t4, s5, t5, s6, t6, s7, t7);
  let channel = ((plane * dims.images + image) * dims.groups + group) * dims.m + m0;
  for (var r = 0u; r < min(8u, dims.m - m0); r++) {
    let at = (channel + r) * dims.pixels + p0;
    for (var j = 0u; j < min(8u, dims.pixels - p0); j++) { store(at + j, tile[2u * r + j / 4u][j % 4u]); }
  }
}
