// What forward convolutions and their transposes in x share: conv_slide.wgsl, which says how taps slide, and conv_single.wgsl.
const TAPS = 3u; // tune
// 1 where some group of taps of a class is smaller than TAPS.
const SPARE = 1u; // tune
// 0 forward and 1 backward with any stride, 2 either with strides of 1: no more code than needed, since it takes time to build.
const FORM = 1u; // tune
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
  if (FORM == 2u) {
    let last = select(0, i32(a.kernel) - 1, dims.backward == 1u);
    return Taps(last, select(1, -1, dims.backward == 1u), i32(a.kernel), at - last * i32(a.reach));
  }
  if (FORM == 0u) {
    let first = i32(residue);
    return Taps(first, skip, (i32(a.kernel) - first + skip - 1) / skip, i32(phase) * stride + a.offset + first * dilation);
  }
  var first = 0;
  while (first < skip && (at - first * dilation) % stride != 0) { first++; }
  let count = select(0, (i32(a.kernel) - first + skip - 1) / skip, first < min(skip, i32(a.kernel)));
  let last = max(0, count - 1);
  return Taps(first + last * skip, -skip, count, (at - first * dilation) / stride - last * i32(a.reach));
}

// A run of four outputs: position in its phase, number of its image.
struct Place { x: u32, y: u32, image: u32 }
fn place(run: u32) -> Place {
  let row = run / dims.x.runs;
  return Place(run % dims.x.runs * 4u, row % dims.y.runs, row / dims.y.runs);
}

// What a run reads: where its image begins, its first column and row there, and the rows of taps that lie inside the image.
struct Run { at: u32, x: u32, y: i32, low: i32, high: i32 }
// Runs beyond the last repeat it; their results are not stored.
fn run(number: u32, plane: u32, group: u32, rows: Taps) -> Run {
  let p = place(min(number, dims.images * dims.y.runs * dims.x.runs - 1u));
  let image = ((plane / dims.in_repeat) % dims.in_planes * dims.images + p.image) * dims.groups + group;
  let y = i32(p.y * dims.y.pace) + rows.base;
  return Run(image * dims.k * dims.y.extent * dims.x.extent, p.x * dims.x.pace, y, steps(-y), min(rows.count, steps(i32(dims.y.extent) - y)));
}
fn steps(distance: i32) -> i32 {
  let reach = i32(dims.y.reach);
  return (max(distance, 0) + reach - 1) / reach;
}
// What taps see of row `t` of channel `k`.
fn seen(r: Run, k: u32, t: i32, first: u32, left: i32) -> Window {
  let y = u32(r.y + t * i32(dims.y.reach));
  let inside = y < dims.y.extent;
  let row = r.at + (k * dims.y.extent + select(0u, y, inside)) * dims.x.extent;
  return window(row, r.x + first, inside, left);
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
