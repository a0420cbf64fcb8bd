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
// Blocks of four channels and a run.
const BLOCKS = (TM + 3u) / 4u * RUNS;
// Input channels that are summed before they are added to the rest: long sums of single terms would lose digits.
const BLOCK = 8u;
// Weights of four channels, by tap.
struct Weights { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32> }
fn four(at: vec4<u32>) -> vec4<f32> { return vec4(w[at.x], w[at.y], w[at.z], w[at.w]); }
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
// The same for two channels.
fn half(s: mat2x4<f32>, p: Window, a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, d: vec2<f32>, e: vec2<f32>) -> mat2x4<f32> {
  if (TAPS == 1u) { return s + two(p.a, a); }
  if (TAPS == 2u) { return s + two(p.a, a) + two(p.b, b); }
  if (TAPS == 3u) { return s + two(p.a, a) + two(p.b, b) + two(p.c, c); }
  if (TAPS == 4u) { return s + two(p.a, a) + two(p.b, b) + two(p.c, c) + two(p.d, d); }
  return s + two(p.a, a) + two(p.b, b) + two(p.c, c) + two(p.d, d) + two(p.e, e);
}
fn two(p: vec4<f32>, v: vec2<f32>) -> mat2x4<f32> { return mat2x4<f32>(p * v.x, p * v.y); }
fn third(s: mat2x4<f32>, p: Window, v: Weights) -> mat2x4<f32> {
  return half(s, p, v.a.xy, v.b.xy, v.c.xy, v.d.xy, v.e.xy);
}
fn fourth(s: mat2x4<f32>, p: Window, v: Weights) -> mat2x4<f32> {
  return half(s, p, v.a.zw, v.b.zw, v.c.zw, v.d.zw, v.e.zw);
}
fn joined(a: mat2x4<f32>, b: mat2x4<f32>) -> mat4x4<f32> { return mat4x4<f32>(a[0], a[1], b[0], b[1]); }

@compute @workgroup_size(LANES, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let all = dims.images * dims.y.runs * dims.x.runs;
  let tiles = (all + RUNS - 1u) / RUNS;
  let m_tiles = (dims.m + TM - 1u) / TM;
  var rest = (wid.x + wid.y * groups.x) * LANES + lane;
  let tile = rest % tiles * RUNS; rest /= tiles;
  let phase_x = rest % dims.x.phases; rest /= dims.x.phases;
  let phase_y = rest % dims.y.phases; rest /= dims.y.phases;
  let m0 = rest % m_tiles * TM; rest /= m_tiles;
  let group = rest % dims.groups;
  let plane = rest / dims.groups;
  if (plane >= dims.planes) { return; }

  let ty = taps(dims.y, phase_y, 0u);
  let r0 = run(tile, plane, group, ty);
  // Rows of taps that some run needs: all others lie beyond the image.
  var begin = r0.low;
  var end = r0.high;
  var r1 = r0; var r2 = r0; var r3 = r0;
  if (RUNS > 1u) { r1 = run(tile + 1u, plane, group, ty); begin = min(begin, r1.low); end = max(end, r1.high); }
  if (RUNS > 2u) { r2 = run(tile + 2u, plane, group, ty); begin = min(begin, r2.low); end = max(end, r2.high); }
  if (RUNS > 3u) { r3 = run(tile + 3u, plane, group, ty); begin = min(begin, r3.low); end = max(end, r3.high); }
  let w_at = ((plane / dims.w_repeat) % dims.w_planes * dims.groups + group) * dims.w_group;
  let top = vec4(dims.m - 1u);
  let own = vec4(0u, 1u, 2u, 3u);
  let w_low = w_at + min(m0 + own, top) * dims.w_m;
  let w_high = w_at + min(m0 + 4u + own, top) * dims.w_m;

  var c = array<mat4x4<f32>, BLOCKS>();
  // Classes of taps times groups of TAPS of one class.
  let turns = dims.x.classes * ((dims.x.kernel - 1u) / (dims.x.skip * TAPS) + 1u);
  let blocks = (dims.k + BLOCK - 1u) / BLOCK;
  for (var part = 0u; part < turns * blocks; part++) {
    let turn = part / blocks;
    // A block holds four outputs in each of its columns, one column for each channel.
    var c00 = mat4x4<f32>(); var c01 = mat4x4<f32>(); var c02 = mat4x4<f32>(); var c03 = mat4x4<f32>();
    var c10 = mat2x4<f32>(); var c11 = mat2x4<f32>(); var c12 = mat2x4<f32>(); var c13 = mat2x4<f32>();
    var c20 = mat2x4<f32>(); var c21 = mat2x4<f32>(); var c22 = mat2x4<f32>(); var c23 = mat2x4<f32>();
    let tx = taps(dims.x, phase_x, turn % dims.x.classes);
    let done = i32(turn / dims.x.classes * TAPS);
    let left = tx.count - done;
    let x0 = u32(tx.base + done * i32(dims.x.reach));
    let first = tx.first + done * tx.step;
    // One loop over channels and rows of taps: each level of loops would copy all accumulators.
    var k = part % blocks * BLOCK;
    var t = begin;
    for (var i = select(0, i32(min(BLOCK, dims.k - k)) * (end - begin), left > 0); i > 0; i--) {
      let tap_at = k * dims.w_k + u32((ty.first + t * ty.step) * i32(dims.x.kernel) + first);
      let v = weights(w_low + tap_at, u32(tx.step), left);
      let u = more_weights(w_high + tap_at, u32(tx.step), left);
      {
        let p = seen(r0, k, t, x0, left);
        c00 = block(c00, p, v);
        if (TM > 4u) { c10 = third(c10, p, u); }
        if (TM > 6u) { c20 = fourth(c20, p, u); }
      }
      if (RUNS > 1u) {
        let p = seen(r1, k, t, x0, left);
        c01 = block(c01, p, v);
        if (TM > 4u) { c11 = third(c11, p, u); }
        if (TM > 6u) { c21 = fourth(c21, p, u); }
      }
      if (RUNS > 2u) {
        let p = seen(r2, k, t, x0, left);
        c02 = block(c02, p, v);
        if (TM > 4u) { c12 = third(c12, p, u); }
        if (TM > 6u) { c22 = fourth(c22, p, u); }
      }
      if (RUNS > 3u) {
        let p = seen(r3, k, t, x0, left);
        c03 = block(c03, p, v);
        if (TM > 4u) { c13 = third(c13, p, u); }
        if (TM > 6u) { c23 = fourth(c23, p, u); }
      }
      t++;
      let carry = t == end;
      k += u32(carry);
      t = select(t, begin, carry);
    }
    c[0] += c00;
    // What is not there has a number all the same: one that is.
    if (RUNS > 1u) { c[1u % BLOCKS] += c01; }
    if (RUNS > 2u) { c[2u % BLOCKS] += c02; }
    if (RUNS > 3u) { c[3u % BLOCKS] += c03; }
    if (TM > 4u) { c[RUNS % BLOCKS] += joined(c10, c20); }
    if (TM > 4u && RUNS > 1u) { c[(RUNS + 1u) % BLOCKS] += joined(c11, c21); }
    if (TM > 4u && RUNS > 2u) { c[(RUNS + 2u) % BLOCKS] += joined(c12, c22); }
    if (TM > 4u && RUNS > 3u) { c[(RUNS + 3u) % BLOCKS] += joined(c13, c23); }
  }

  // One place that stores, so that a fused epilogue does not appear once for every element of the tile.
  for (var s = 0u; s < min(RUNS, all - tile); s++) {
    let p = place(tile + s);
    let out_y = p.y * dims.y.phases + phase_y;
    let out_x = p.x * dims.x.phases + phase_x;
    if (out_y >= dims.y.outputs || out_x >= dims.x.outputs) { continue; }
    let channel = ((plane * dims.images + p.image) * dims.groups + group) * dims.m + m0;
    for (var r = 0u; r < min(TM, dims.m - m0); r++) {
      let v = c[r / 4u * RUNS + s][r % 4u];
      let at = ((channel + r) * dims.y.outputs + out_y) * dims.x.outputs + out_x;
      let count = (dims.x.outputs - out_x + dims.x.phases - 1u) / dims.x.phases;
      if (count > 0u) { store(at, v.x); }
      if (count > 1u) { store(at + dims.x.phases, v.y); }
      if (count > 2u) { store(at + 2u * dims.x.phases, v.z); }
      if (count > 3u) { store(at + 3u * dims.x.phases, v.w); }
    }
  }
}
