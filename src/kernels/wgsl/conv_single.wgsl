// conv_slide.wgsl for one output channel (of each group), as in depthwise convolutions: there a channel of weights is read for
// few outputs, and sums of one channel fit into vectors. An invocation computes RUNS runs of four outputs.
// Joined to conv_taps.wgsl.
const RUNS = 4u; // tune
const LANES = 64u; // tune

// Weights of a row, by tap.
struct Weights { a: f32, b: f32, c: f32, d: f32, e: f32 }
fn weight(at: u32, used: bool) -> f32 {
  if (SPARE == 0u) { return w[at]; }
  return select(0.0, w[at], used);
}
fn weights(at: u32, step: u32, left: i32) -> Weights {
  let a = weight(at, left > 0);
  if (TAPS == 1u) { return Weights(a, 0.0, 0.0, 0.0, 0.0); }
  let b = weight(at + step, left > 1);
  if (TAPS == 2u) { return Weights(a, b, 0.0, 0.0, 0.0); }
  let c = weight(at + 2u * step, left > 2);
  if (TAPS == 3u) { return Weights(a, b, c, 0.0, 0.0); }
  let d = weight(at + 3u * step, left > 3);
  if (TAPS == 4u) { return Weights(a, b, c, d, 0.0); }
  return Weights(a, b, c, d, weight(at + 4u * step, left > 4));
}

// What one row of taps adds to a run.
fn block(p: Window, v: Weights) -> vec4<f32> {
  if (TAPS == 1u) { return p.a * v.a; }
  if (TAPS == 2u) { return p.a * v.a + p.b * v.b; }
  if (TAPS == 3u) { return p.a * v.a + p.b * v.b + p.c * v.c; }
  let four = p.a * v.a + p.b * v.b + p.c * v.c + p.d * v.d;
  if (TAPS == 4u) { return four; }
  return four + p.e * v.e;
}

@compute @workgroup_size(LANES, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let all = dims.images * dims.y.runs * dims.x.runs;
  let tiles = (all + RUNS - 1u) / RUNS;
  var rest = (wid.x + wid.y * groups.x) * LANES + lane;
  let tile = rest % tiles * RUNS; rest /= tiles;
  let phase_x = rest % dims.x.phases; rest /= dims.x.phases;
  let phase_y = rest % dims.y.phases; rest /= dims.y.phases;
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

  var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
  // Classes of taps times groups of TAPS of one class.
  let turns = dims.x.classes * ((dims.x.kernel - 1u) / (dims.x.skip * TAPS) + 1u);
  for (var turn = 0u; turn < turns; turn++) {
    let tx = taps(dims.x, phase_x, turn % dims.x.classes);
    let done = i32(turn / dims.x.classes * TAPS);
    let left = tx.count - done;
    let x0 = u32(tx.base + done * i32(dims.x.reach));
    let first = tx.first + done * tx.step;
    // One loop over channels and rows of taps: each level of loops would copy all accumulators.
    var k = 0u;
    var t = begin;
    for (var i = select(0, i32(dims.k) * (end - begin), left > 0); i > 0; i--) {
      let tap_at = k * dims.w_k + u32((ty.first + t * ty.step) * i32(dims.x.kernel) + first);
      let v = weights(w_at + tap_at, u32(tx.step), left);
      c0 += block(seen(r0, k, t, x0, left), v);
      if (RUNS > 1u) { c1 += block(seen(r1, k, t, x0, left), v); }
      if (RUNS > 2u) { c2 += block(seen(r2, k, t, x0, left), v); }
      if (RUNS > 3u) { c3 += block(seen(r3, k, t, x0, left), v); }
      t++;
      let carry = t == end;
      k += u32(carry);
      t = select(t, begin, carry);
    }
  }

  // One place that stores, so that a fused epilogue does not appear once for every element of the tile.
  var c = array<vec4<f32>, 4>(c0, c1, c2, c3);
  for (var s = 0u; s < min(RUNS, all - tile); s++) {
    let p = place(tile + s);
    let out_y = p.y * dims.y.phases + phase_y;
    let out_x = p.x * dims.x.phases + phase_x;
    if (out_y >= dims.y.outputs) { continue; }
    let at = (((plane * dims.images + p.image) * dims.groups + group) * dims.y.outputs + out_y) * dims.x.outputs;
    for (var j = 0u; j < 4u; j++) {
      let i = out_x + j * dims.x.phases;
      if (i < dims.x.outputs) { store(at + i, c[s][j]); }
    }
  }
}
