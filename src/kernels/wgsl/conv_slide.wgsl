// Convolution forward and its transpose in x, as one correlation of rows that slide past each other.
//   forward:    out[n, m, i] = sum over k, t of w[m, k, t] in[n, k, i stride - pad + t dilation]
//   input grad: out[n, m, i] = sum over k, t of w[k, m, t] in[n, k, (i + pad - t dilation) / stride] where that is whole
// Outputs are taken `phases` apart, and taps `skip` apart, such that the input position moves by the same `reach` from one
// output to the next and from one tap to the next: four outputs meet TAPS taps in 3 + TAPS columns, each loaded once. No
// inserted zero is ever multiplied. An invocation computes TM channels of RUNS runs of four such outputs, which may lie in
// different rows or images. A software adapter pays for loads above all, hence the large tile; a GPU takes two runs.
// Joined to conv_taps.wgsl.
const TM = 8u; // tune
const RUNS = 4u; // tune
const LANES = 64u; // tune
// 1 where a workgroup is a subgroup of four invocations, which then have the same weights and load a quarter of them each.
const QUADS = 0u; // tune
const SIDE = 1u + 3u * QUADS;
// Input channels that are summed before they are added to the rest: long sums of single terms would lose digits.
const BLOCK = 8u;
// What an invocation of a subgroup of four holds, or the most or least of all: kernels/quads.ts writes these anew.
fn SHARED_0(v: f32) -> f32 { return v; }
fn SHARED_1(v: f32) -> f32 { return v; }
fn SHARED_2(v: f32) -> f32 { return v; }
fn SHARED_3(v: f32) -> f32 { return v; }
fn SHARED_MIN(v: i32) -> i32 { return v; }
fn SHARED_MAX(v: i32) -> i32 { return v; }

// Weights of four channels, by tap. Of a quad, an invocation is given its own channel first.
struct Weights { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32> }
fn four(at: vec4<u32>) -> vec4<f32> {
  if (QUADS == 0u) { return vec4(w[at.x], w[at.y], w[at.z], w[at.w]); }
  let own = w[at.x];
  return vec4(SHARED_0(own), SHARED_1(own), SHARED_2(own), SHARED_3(own));
}
fn weight(at: vec4<u32>, used: bool) -> vec4<f32> {
  if (SPARE == 0u) { return four(at); }
  return select(vec4<f32>(), four(at), used);
}
fn weights(at: vec4<u32>, step: u32, left: i32) -> Weights {
  let zero = vec4<f32>();
  let a = weight(at, left > 0);
  if (TAPS == 1u) { return Weights(a, zero, zero, zero, zero); }
  let b = weight(at + step, left > 1);
  if (TAPS == 2u) { return Weights(a, b, zero, zero, zero); }
  let c = weight(at + 2u * step, left > 2);
  if (TAPS == 3u) { return Weights(a, b, c, zero, zero); }
  let d = weight(at + 3u * step, left > 3);
  if (TAPS == 4u) { return Weights(a, b, c, d, zero); }
  return Weights(a, b, c, d, weight(at + 4u * step, left > 4));
}

fn more_weights(at: vec4<u32>, step: u32, left: i32) -> Weights {
  if (TM == 4u) { return Weights(); }
  return weights(at, step, left);
}

fn block(c: mat4x4<f32>, p: Window, v: Weights) -> mat4x4<f32> {
  if (TAPS == 1u) { return c + outer(p.a, v.a); }
  if (TAPS == 2u) { return c + outer(p.a, v.a) + outer(p.b, v.b); }
  if (TAPS == 3u) { return c + outer(p.a, v.a) + outer(p.b, v.b) + outer(p.c, v.c); }
  if (TAPS == 4u) { return c + outer(p.a, v.a) + outer(p.b, v.b) + outer(p.c, v.c) + outer(p.d, v.d); }
  return c + outer(p.a, v.a) + outer(p.b, v.b) + outer(p.c, v.c) + outer(p.d, v.d) + outer(p.e, v.e);
}
fn outer(p: vec4<f32>, v: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(p * v.x, p * v.y, p * v.z, p * v.w);
}

@compute @workgroup_size(LANES, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let all = dims.images * dims.y.runs * dims.x.runs;
  // Quads are whole: all four have the same channels.
  let tiles = (all + RUNS * SIDE - 1u) / (RUNS * SIDE) * SIDE;
  let m_tiles = (dims.m + TM - 1u) / TM;
  var rest = (wid.x + wid.y * groups.x) * LANES + lane;
  let tile = rest % tiles * RUNS; rest /= tiles;
  let phase_x = rest % dims.x.phases; rest /= dims.x.phases;
  let phase_y = rest % dims.y.phases; rest /= dims.y.phases;
  let m0 = rest % m_tiles * TM; rest /= m_tiles;
  let group = rest % dims.groups;
  let plane = rest / dims.groups;
  if (plane >= dims.planes) { return; }

  // Runs beyond the last repeat it; their results are not stored.
  let run = min(tile + vec4(0u, 1u, 2u, 3u), vec4(all - 1u));
  let q_x = run % dims.x.runs * 4u;
  let q_y = run / dims.x.runs % dims.y.runs;
  let image = run / (dims.x.runs * dims.y.runs);

  let ty = taps(dims.y, phase_y, 0u);
  let y0 = vec4<i32>(q_y * dims.y.pace) + ty.base;
  // Rows of taps that some run needs: all others lie beyond the image.
  let reach = i32(dims.y.reach);
  let low = (max(-y0, vec4<i32>()) + reach - 1) / reach;
  let high = (max(i32(dims.y.extent) - y0, vec4<i32>()) + reach - 1) / reach;
  let begin = SHARED_MIN(min(min(low.x, low.y), min(low.z, low.w)));
  let end = SHARED_MAX(min(ty.count, max(max(high.x, high.y), max(high.z, high.w))));
  let in_size = dims.y.extent * dims.x.extent;
  let in_image = ((plane / dims.in_repeat) % dims.in_planes * dims.images + image) * dims.groups + group;
  let in_at = in_image * dims.k * in_size;
  let w_at = ((plane / dims.w_repeat) % dims.w_planes * dims.groups + group) * dims.w_group;
  let top = vec4(dims.m - 1u);
  let own = vec4(0u, 1u, 2u, 3u) + lane * QUADS;
  let w_low = w_at + min(m0 + own, top) * dims.w_m;
  let w_high = w_at + min(m0 + 4u + own, top) * dims.w_m;

  var c = array<mat4x4<f32>, 8>();
  // Classes of taps times groups of TAPS of one class.
  let turns = dims.x.classes * ((dims.x.kernel - 1u) / (dims.x.skip * TAPS) + 1u);
  let blocks = (dims.k + BLOCK - 1u) / BLOCK;
  for (var part = 0u; part < turns * blocks; part++) {
    let turn = part / blocks;
    // A block holds four outputs in each of its columns, one column for each channel.
    var c00 = mat4x4<f32>(); var c01 = mat4x4<f32>(); var c02 = mat4x4<f32>(); var c03 = mat4x4<f32>();
    var c10 = mat4x4<f32>(); var c11 = mat4x4<f32>(); var c12 = mat4x4<f32>(); var c13 = mat4x4<f32>();
    let tx = taps(dims.x, phase_x, turn % dims.x.classes);
    let done = i32(turn / dims.x.classes * TAPS);
    let left = tx.count - done;
    let x0 = q_x * dims.x.pace + u32(tx.base + done * i32(dims.x.reach));
    let first = tx.first + done * tx.step;
    // One loop over channels and rows of taps: each level of loops would copy all accumulators.
    var k = part % blocks * BLOCK;
    var t = begin;
    for (var i = select(0, i32(min(BLOCK, dims.k - k)) * (end - begin), left > 0); i > 0; i--) {
      let y = vec4<u32>(y0 + t * reach);
      let inside = y < vec4(dims.y.extent);
      let row = in_at + k * in_size + select(vec4<u32>(), y * dims.x.extent, inside);
      let tap_at = k * dims.w_k + u32((ty.first + t * ty.step) * i32(dims.x.kernel) + first);
      let v = weights(w_low + tap_at, u32(tx.step), left);
      let u = more_weights(w_high + tap_at, u32(tx.step), left);
      {
        let p = window(row.x, x0.x, inside.x, left);
        c00 = block(c00, p, v);
        if (TM > 4u) { c10 = block(c10, p, u); }
      }
      if (RUNS > 1u) {
        let p = window(row.y, x0.y, inside.y, left);
        c01 = block(c01, p, v);
        if (TM > 4u) { c11 = block(c11, p, u); }
      }
      if (RUNS > 2u) {
        let p = window(row.z, x0.z, inside.z, left);
        c02 = block(c02, p, v);
        if (TM > 4u) { c12 = block(c12, p, u); }
      }
      if (RUNS > 3u) {
        let p = window(row.w, x0.w, inside.w, left);
        c03 = block(c03, p, v);
        if (TM > 4u) { c13 = block(c13, p, u); }
      }
      t++;
      let carry = t == end;
      k += u32(carry);
      t = select(t, begin, carry);
    }
    c[0] += c00; c[1] += c01; c[2] += c02; c[3] += c03;
    if (TM > 4u) { c[4] += c10; c[5] += c11; c[6] += c12; c[7] += c13; }
  }

  // One place that stores, so that a fused epilogue does not appear once for every element of the tile.
  for (var s = 0u; s < min(RUNS, all - min(tile, all)); s++) {
    let out_y = q_y[s] * dims.y.phases + phase_y;
    let out_x = q_x[s] * dims.x.phases + phase_x;
    if (out_y >= dims.y.outputs || out_x >= dims.x.outputs) { continue; }
    let channel = ((plane * dims.images + image[s]) * dims.groups + group) * dims.m + m0;
    for (var r = 0u; r < min(TM, dims.m - m0); r++) {
      let v = c[r / 4u * 4u + s][r % 4u];
      let at = ((channel + r) * dims.y.outputs + out_y) * dims.x.outputs + out_x;
      let count = (dims.x.outputs - out_x + dims.x.phases - 1u) / dims.x.phases;
      if (count > 0u) { store(at, v.x); }
      if (count > 1u) { store(at + dims.x.phases, v.y); }
      if (count > 2u) { store(at + 2u * dims.x.phases, v.z); }
      if (count > 3u) { store(at + 3u * dims.x.phases, v.w); }
    }
  }
}
