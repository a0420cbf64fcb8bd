// 1x1 convolution (stride 1, no padding): out[n, m, p] = sum over k of w[m, k] in[n, k, p].
// 8 channels x 8 pixels per invocation, vec4 loads along the pixels and along k: both counts are multiples of 4.
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
  let top = dims.m - 1u;
  let w_row = dims.k / 4u;
  let w0 = w_plane + min(m0 + 0u, top) * w_row;
  let w1 = w_plane + min(m0 + 1u, top) * w_row;
  let w2 = w_plane + min(m0 + 2u, top) * w_row;
  let w3 = w_plane + min(m0 + 3u, top) * w_row;
  let w4 = w_plane + min(m0 + 4u, top) * w_row;
  let w5 = w_plane + min(m0 + 5u, top) * w_row;
  let w6 = w_plane + min(m0 + 6u, top) * w_row;
  let w7 = w_plane + min(m0 + 7u, top) * w_row;

  // Blocks of channels are summed apart, which keeps rounding errors small.
  var s0 = vec4<f32>(); var t0 = vec4<f32>();
  var s1 = vec4<f32>(); var t1 = vec4<f32>();
  var s2 = vec4<f32>(); var t2 = vec4<f32>();
  var s3 = vec4<f32>(); var t3 = vec4<f32>();
  var s4 = vec4<f32>(); var t4 = vec4<f32>();
  var s5 = vec4<f32>(); var t5 = vec4<f32>();
  var s6 = vec4<f32>(); var t6 = vec4<f32>();
  var s7 = vec4<f32>(); var t7 = vec4<f32>();
  for (var first = 0u; first < w_row; first += 16u) {
    var a0 = vec4<f32>(); var b0 = vec4<f32>();
    var a1 = vec4<f32>(); var b1 = vec4<f32>();
    var a2 = vec4<f32>(); var b2 = vec4<f32>();
    var a3 = vec4<f32>(); var b3 = vec4<f32>();
    var a4 = vec4<f32>(); var b4 = vec4<f32>();
    var a5 = vec4<f32>(); var b5 = vec4<f32>();
    var a6 = vec4<f32>(); var b6 = vec4<f32>();
    var a7 = vec4<f32>(); var b7 = vec4<f32>();
    for (var k = first; k < min(first + 16u, w_row); k++) {
      let x0 = x[xp]; let y0 = x[xp + second];
      let x1 = x[xp + quads]; let y1 = x[xp + quads + second];
      let x2 = x[xp + 2u * quads]; let y2 = x[xp + 2u * quads + second];
      let x3 = x[xp + 3u * quads]; let y3 = x[xp + 3u * quads + second];
      let v0 = w[w0 + k];
      a0 += v0.x * x0 + v0.y * x1 + v0.z * x2 + v0.w * x3;
      b0 += v0.x * y0 + v0.y * y1 + v0.z * y2 + v0.w * y3;
      let v1 = w[w1 + k];
      a1 += v1.x * x0 + v1.y * x1 + v1.z * x2 + v1.w * x3;
      b1 += v1.x * y0 + v1.y * y1 + v1.z * y2 + v1.w * y3;
      let v2 = w[w2 + k];
      a2 += v2.x * x0 + v2.y * x1 + v2.z * x2 + v2.w * x3;
      b2 += v2.x * y0 + v2.y * y1 + v2.z * y2 + v2.w * y3;
      let v3 = w[w3 + k];
      a3 += v3.x * x0 + v3.y * x1 + v3.z * x2 + v3.w * x3;
      b3 += v3.x * y0 + v3.y * y1 + v3.z * y2 + v3.w * y3;
      let v4 = w[w4 + k];
      a4 += v4.x * x0 + v4.y * x1 + v4.z * x2 + v4.w * x3;
      b4 += v4.x * y0 + v4.y * y1 + v4.z * y2 + v4.w * y3;
      let v5 = w[w5 + k];
      a5 += v5.x * x0 + v5.y * x1 + v5.z * x2 + v5.w * x3;
      b5 += v5.x * y0 + v5.y * y1 + v5.z * y2 + v5.w * y3;
      let v6 = w[w6 + k];
      a6 += v6.x * x0 + v6.y * x1 + v6.z * x2 + v6.w * x3;
      b6 += v6.x * y0 + v6.y * y1 + v6.z * y2 + v6.w * y3;
      let v7 = w[w7 + k];
      a7 += v7.x * x0 + v7.y * x1 + v7.z * x2 + v7.w * x3;
      b7 += v7.x * y0 + v7.y * y1 + v7.z * y2 + v7.w * y3;
      xp += 4u * quads;
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
