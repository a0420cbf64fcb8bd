// conv_slide.wgsl for one output channel (of each group), as in depthwise convolutions: there a channel of weights is read for
// few outputs, and sums of one channel fit into vectors. An invocation computes RUNS runs of four outputs.
const RUNS = 4u; // tune
const TAPS = 3u; // tune
// 1 where some group of taps of a class is smaller than TAPS.
const SPARE = 1u; // tune
const LANES = 64u; // tune
struct Axis {
  extent: u32, outputs: u32, kernel: u32, stride: u32, dilation: u32,
  offset: i32,  // -pad forward, +pad backward
  phases: u32, skip: u32,
  pace: u32,    // input positions from one output of a phase to the next
  reach: u32,   // input positions from one tap to the next
  runs: u32,    // rows, or runs of four columns, in a phase
  classes: u32, // of taps: those of one class are `skip` apart
}
struct Dims {
  y: Axis, x: Axis,
  planes: u32, images: u32, groups: u32, m: u32, k: u32, backward: u32,
  in_planes: u32, in_repeat: u32, w_planes: u32, w_repeat: u32,
  w_group: u32, w_m: u32, w_k: u32, // strides of the weights
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// Taps in order of ascending input position: tap `first + u step` of output q reads input `base + q move + u reach`.
struct Taps { first: i32, step: i32, count: i32, base: i32 }

fn taps(a: Axis, phase: u32, residue: u32) -> Taps {
  let skip = i32(a.skip);
  let stride = i32(a.stride);
  let dilation = i32(a.dilation);
  let at = i32(phase) + a.offset;
  if (dims.backward == 0u) {
    let first = i32(residue);
    return Taps(first, skip, (i32(a.kernel) - first + skip - 1) / skip, i32(phase) * stride + a.offset + first * dilation);
  }
  var first = 0;
  while (first < skip && (at - first * dilation) % stride != 0) { first++; }
  let count = select(0, (i32(a.kernel) - first + skip - 1) / skip, first < min(skip, i32(a.kernel)));
  let last = max(0, count - 1);
  return Taps(first + last * skip, -skip, count, (at - first * dilation) / stride - last * i32(a.reach));
}

// What each tap sees of a row that starts at `row`: four columns, each loaded once; zero beyond the ends of the row.
// Columns left of 0 wrap to huge numbers. No variables here: a software adapter stores each through a mask.
struct Window { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32> }
fn window(row: u32, first: u32, inside: bool, left: i32) -> Window {
  let width = select(0u, dims.x.extent, inside);
  let i = vec4(0u, 1u, 2u, 3u) * dims.x.reach + first;
  let j = i + 4u * dims.x.reach;
  let near = i < vec4(width);
  let far = j < vec4(width);
  let p = select(vec4<f32>(), head(row + select(vec4<u32>(), i, near)), near);
  let q = select(vec4<f32>(), tail(row + select(vec4<u32>(), j, far)), far);
  return Window(p, tap(vec4(p.yzw, q.x), left > 1), tap(vec4(p.zw, q.xy), left > 2), tap(vec4(p.w, q.xyz), left > 3), tap(q, left > 4));
}
fn head(i: vec4<u32>) -> vec4<f32> { return vec4(x[i.x], x[i.y], x[i.z], x[i.w]); }
fn tail(i: vec4<u32>) -> vec4<f32> {
  if (TAPS == 1u) { return vec4<f32>(); }
  if (TAPS == 2u) { return vec4(x[i.x], 0.0, 0.0, 0.0); }
  if (TAPS == 3u) { return vec4(x[i.x], x[i.y], 0.0, 0.0); }
  if (TAPS == 4u) { return vec4(x[i.x], x[i.y], x[i.z], 0.0); }
  return head(i);
}
// A tap that does not exist must not see infinities.
fn tap(p: vec4<f32>, used: bool) -> vec4<f32> {
  if (SPARE == 0u) { return p; }
  return select(vec4<f32>(), p, used);
}

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
  let begin = min(min(low.x, low.y), min(low.z, low.w));
  let end = min(ty.count, max(max(high.x, high.y), max(high.z, high.w)));
  let in_size = dims.y.extent * dims.x.extent;
  let in_image = ((plane / dims.in_repeat) % dims.in_planes * dims.images + image) * dims.groups + group;
  let in_at = in_image * dims.k * in_size;
  let w_at = ((plane / dims.w_repeat) % dims.w_planes * dims.groups + group) * dims.w_group;

  var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
  // Classes of taps times groups of TAPS of one class.
  let turns = dims.x.classes * ((dims.x.kernel - 1u) / (dims.x.skip * TAPS) + 1u);
  for (var turn = 0u; turn < turns; turn++) {
    let tx = taps(dims.x, phase_x, turn % dims.x.classes);
    let done = i32(turn / dims.x.classes * TAPS);
    let left = tx.count - done;
    let x0 = q_x * dims.x.pace + u32(tx.base + done * i32(dims.x.reach));
    let first = tx.first + done * tx.step;
    // One loop over channels and rows of taps: each level of loops would copy all accumulators.
    var k = 0u;
    var t = begin;
    for (var i = select(0, i32(dims.k) * (end - begin), left > 0); i > 0; i--) {
      let y = vec4<u32>(y0 + t * reach);
      let inside = y < vec4(dims.y.extent);
      let row = in_at + k * in_size + select(vec4<u32>(), y * dims.x.extent, inside);
      let tap_at = k * dims.w_k + u32((ty.first + t * ty.step) * i32(dims.x.kernel) + first);
      let v = weights(w_at + tap_at, u32(tx.step), left);
      c0 += block(window(row.x, x0.x, inside.x, left), v);
      if (RUNS > 1u) { c1 += block(window(row.y, x0.y, inside.y, left), v); }
      if (RUNS > 2u) { c2 += block(window(row.z, x0.z, inside.z, left), v); }
      if (RUNS > 3u) { c3 += block(window(row.w, x0.w, inside.w, left), v); }
      t++;
      let carry = t == end;
      k += u32(carry);
      t = select(t, begin, carry);
    }
  }

  // One place that stores, so that a fused epilogue does not appear once for every element of the tile.
  var c = array<vec4<f32>, 4>(c0, c1, c2, c3);
  for (var s = 0u; s < min(RUNS, all - tile); s++) {
    let out_y = q_y[s] * dims.y.phases + phase_y;
    let out_x = q_x[s] * dims.x.phases + phase_x;
    if (out_y >= dims.y.outputs) { continue; }
    let at = (((plane * dims.images + image[s]) * dims.groups + group) * dims.y.outputs + out_y) * dims.x.outputs;
    for (var j = 0u; j < 4u; j++) {
      let i = out_x + j * dims.x.phases;
      if (i < dims.x.outputs) { store(at + i, c[s][j]); }
    }
  }
}
