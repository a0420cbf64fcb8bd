// Convolution forward and its transpose in x, as one correlation of rows that slide past each other.
//   forward:    out[n, m, i] = sum over k, t of w[m, k, t] in[n, k, i stride - pad + t dilation]
//   input grad: out[n, m, i] = sum over k, t of w[k, m, t] in[n, k, (i + pad - t dilation) / stride] where that is whole
// Outputs are taken `phases` apart, and taps `skip` apart, such that the input position moves by the same `reach` from one
// output to the next and from one tap to the next: four outputs meet TAPS taps in 3 + TAPS columns, each loaded once. No
// inserted zero is ever multiplied. An invocation computes TM channels of RUNS runs of four such outputs, which may lie in
// different rows or images. A software adapter pays for loads above all, hence the large tile.
// Joined to conv_taps.wgsl.
// Joined to conv_alone.wgsl.
// In quads, conv_quads.wgsl takes the place of the latter.
const TM = 8u; // tune
const RUNS = 2u; // tune
const LANES = 64u; // tune
// 1 where a workgroup is a subgroup of four invocations: all have the same channels, and each loads a quarter of their weights.
const QUADS = 0u; // tune
const SIDE = 1u + 3u * QUADS;
// 0 where the taps of a row are added to one another before they are added to the rest, 1 where one after another.
const SERIAL = 0u; // tune
// Channels whose weights an invocation loads at once: a quarter of TM in quads, else four.
const SHARE = 4u; // tune
// Vectors of four outputs of one channel, those of each run together.
const SPAN = (TM + 3u) / 4u * 4u;
const ROWS = SPAN * RUNS;
// Input channels that are summed before they are added to the rest: long sums of single terms would lose digits.
const BLOCK = 8u;

// Weights of up to four channels, by tap.
struct Weights { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32> }
fn four(at: vec4<u32>) -> vec4<f32> {
  if (SHARE == 1u) { return vec4(w[at.x], 0.0, 0.0, 0.0); }
  if (SHARE == 2u) { return vec4(w[at.x], w[at.y], 0.0, 0.0); }
  return vec4(w[at.x], w[at.y], w[at.z], w[at.w]);
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

// The first, second, third and last four channels, from what the four invocations of a quad hold. Taps that are not there
// share nothing. Alone, an invocation has up to eight channels, and holds the first four.
fn firsts(u: Weights) -> Weights {
  return Weights(first(u.a, 0u), first(u.b, 1u), first(u.c, 2u), first(u.d, 3u), first(u.e, 4u));
}
fn first(v: vec4<f32>, tap: u32) -> vec4<f32> {
  if (tap >= TAPS) { return v; }
  if (SHARE == 1u) { return vec4(from0(v).x, from1(v).x, from2(v).x, from3(v).x); }
  if (SHARE == 2u) { return vec4(from0(v).xy, from1(v).xy); }
  return from0(v);
}
fn seconds(u: Weights, at: vec4<u32>, step: u32, left: i32) -> Weights {
  if (QUADS == 0u) { return weights(at, step, left); }
  return Weights(second(u.a, 0u), second(u.b, 1u), second(u.c, 2u), second(u.d, 3u), second(u.e, 4u));
}
fn second(v: vec4<f32>, tap: u32) -> vec4<f32> {
  if (tap >= TAPS) { return v; }
  if (SHARE == 2u) { return vec4(from2(v).xy, from3(v).xy); }
  return from1(v);
}
fn third(v: vec4<f32>, tap: u32) -> vec4<f32> {
  if (tap >= TAPS) { return v; }
  return from2(v);
}
fn fourth(v: vec4<f32>, tap: u32) -> vec4<f32> {
  if (tap >= TAPS) { return v; }
  return from3(v);
}

// Each sum is taken to its end before the next one begins: SwiftShader keeps in memory what waits, which takes a tenth longer.
fn block(c: mat4x4<f32>, p: Window, v: Weights) -> mat4x4<f32> {
  return mat4x4<f32>(
    channel(c[0], p, v.a.x, v.b.x, v.c.x, v.d.x, v.e.x),
    channel(c[1], p, v.a.y, v.b.y, v.c.y, v.d.y, v.e.y),
    channel(c[2], p, v.a.z, v.b.z, v.c.z, v.d.z, v.e.z),
    channel(c[3], p, v.a.w, v.b.w, v.c.w, v.d.w, v.e.w),
  );
}
// The same for the channels after the first four, which are two or four.
fn others(c: mat4x4<f32>, p: Window, v: Weights) -> mat4x4<f32> {
  if (TM > 6u) { return block(c, p, v); }
  let zero = vec4<f32>();
  return mat4x4<f32>(
    channel(c[0], p, v.a.x, v.b.x, v.c.x, v.d.x, v.e.x),
    channel(c[1], p, v.a.y, v.b.y, v.c.y, v.d.y, v.e.y),
    zero,
    zero,
  );
}
fn channel(s: vec4<f32>, p: Window, a: f32, b: f32, c: f32, d: f32, e: f32) -> vec4<f32> {
  if (SERIAL == 1u) { return more(fma(p.a, vec4(a), s), p, b, c, d, e); }
  return s + more(p.a * a, p, b, c, d, e);
}
fn more(one: vec4<f32>, p: Window, b: f32, c: f32, d: f32, e: f32) -> vec4<f32> {
  if (TAPS == 1u) { return one; }
  let two = fma(p.b, vec4(b), one);
  if (TAPS == 2u) { return two; }
  let three = fma(p.c, vec4(c), two);
  if (TAPS == 3u) { return three; }
  let four = fma(p.d, vec4(d), three);
  if (TAPS == 4u) { return four; }
  return fma(p.e, vec4(e), four);
}
fn add(c: ptr<function, array<vec4<f32>, ROWS>>, at: u32, m: mat4x4<f32>) {
  (*c)[at] += m[0];
  (*c)[at + 1u] += m[1];
  (*c)[at + 2u] += m[2];
  (*c)[at + 3u] += m[3];
}

@compute @workgroup_size(LANES, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let all = dims.images * dims.y.runs * dims.x.runs;
  // Quads are whole: all four have the same channels.
  let tiles = (all + SIDE * RUNS - 1u) / (SIDE * RUNS) * SIDE;
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
  var low = r0.low;
  var high = r0.high;
  var r1 = r0;
  if (RUNS > 1u) { r1 = run(tile + 1u, plane, group, ty); low = min(low, r1.low); high = max(high, r1.high); }
  let begin = least(low);
  let end = most(high);
  let w_at = ((plane / dims.w_repeat) % dims.w_planes * dims.groups + group) * dims.w_group;
  let channels = m0 + lane * SHARE * QUADS + vec4(0u, 1u, 2u, 3u);
  let own = w_at + min(channels, vec4(dims.m - 1u)) * dims.w_m;
  let next = w_at + min(channels + 4u, vec4(dims.m - 1u)) * dims.w_m;

  var c = array<vec4<f32>, ROWS>();
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
    let x0 = u32(tx.base + done * i32(dims.x.reach));
    let start = tx.first + done * tx.step;
    // One loop over channels and rows of taps: each level of loops would copy all accumulators.
    var k = part % blocks * BLOCK;
    var t = begin;
    for (var i = select(0, i32(min(BLOCK, dims.k - k)) * (end - begin), left > 0); i > 0; i--) {
      let tap_at = k * dims.w_k + u32((ty.first + t * ty.step) * i32(dims.x.kernel) + start);
      let u = weights(own + tap_at, u32(tx.step), left);
      let p0 = seen(r0, k, t, x0, left);
      let p1 = seen(r1, k, t, x0, left);
      {
        let v = firsts(u);
        c00 = block(c00, p0, v);
        if (RUNS > 1u) { c10 = block(c10, p1, v); }
      }
      if (TM > 4u) {
        let v = seconds(u, next + tap_at, u32(tx.step), left);
        c01 = others(c01, p0, v);
        if (RUNS > 1u) { c11 = others(c11, p1, v); }
      }
      if (TM > 8u) {
        let v = Weights(third(u.a, 0u), third(u.b, 1u), third(u.c, 2u), third(u.d, 3u), third(u.e, 4u));
        c02 = block(c02, p0, v);
        if (RUNS > 1u) { c12 = block(c12, p1, v); }
      }
      if (TM > 12u) {
        let v = Weights(fourth(u.a, 0u), fourth(u.b, 1u), fourth(u.c, 2u), fourth(u.d, 3u), fourth(u.e, 4u));
        c03 = block(c03, p0, v);
        if (RUNS > 1u) { c13 = block(c13, p1, v); }
      }
      t++;
      let carry = t == end;
      k += u32(carry);
      t = select(t, begin, carry);
    }
    add(&c, 0u, c00);
    if (TM > 4u) { add(&c, 4u, c01); }
    if (TM > 8u) { add(&c, 8u, c02); }
    if (TM > 12u) { add(&c, 12u, c03); }
    if (RUNS > 1u) { add(&c, SPAN, c10); }
    if (RUNS > 1u && TM > 4u) { add(&c, SPAN + 4u, c11); }
    if (RUNS > 1u && TM > 8u) { add(&c, SPAN + 8u, c12); }
    if (RUNS > 1u && TM > 12u) { add(&c, SPAN + 12u, c13); }
  }

  // One place that stores, so that a fused epilogue does not appear once for every element of the tile.
  for (var s = 0u; s < min(RUNS, all - min(tile, all)); s++) {
    let p = place(tile + s);
    let out_y = p.y * dims.y.phases + phase_y;
    let out_x = p.x * dims.x.phases + phase_x;
    if (out_y >= dims.y.outputs || out_x >= dims.x.outputs) { continue; }
    let at_m0 = ((plane * dims.images + p.image) * dims.groups + group) * dims.m + m0;
    let count = (dims.x.outputs - out_x + dims.x.phases - 1u) / dims.x.phases;
    for (var r = 0u; r < min(TM, dims.m - m0); r++) {
      let v = c[s * SPAN + r];
      let at = ((at_m0 + r) * dims.y.outputs + out_y) * dims.x.outputs + out_x;
      if (count > 0u) { store(at, v.x); }
      if (count > 1u) { store(at + dims.x.phases, v.y); }
      if (count > 2u) { store(at + 2u * dims.x.phases, v.z); }
      if (count > 3u) { store(at + 3u * dims.x.phases, v.w); }
    }
  }
}
