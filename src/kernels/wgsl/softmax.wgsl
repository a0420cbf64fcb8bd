// y[row, k] = exp(x[row, k] - max) / sum. One invocation per row, three passes: largest element, sum, quotient.
// LANES neighbours are loaded at once.
const LANES = 1u; // tune
alias Lane = f32; // tune
struct Dims {
  rows: u32,
  length: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<Lane>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn load_x(i: u32) -> Lane { return x[i / LANES]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

fn block(first: u32, last: u32, top: f32) -> Lane {
  var a = Lane();
  for (var i = first; i < last; i += LANES) {
    a += exp(load_x(i) - top);
  }
  return a;
}

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (wid.x + wid.y * groups.x) * 64u + lane;
  if (row >= dims.rows) { return; }
  let begin = row * dims.length;
  let end = begin + dims.length;
  var tops = load_x(begin);
  for (var i = begin + LANES; i < end; i += LANES) {
    tops = max(tops, load_x(i));
  }
  // The conversions let the text compile for either type.
  let t = vec4<f32>(tops);
  let top = max(max(t.x, t.y), max(t.z, t.w));
  var sums = Lane();
  for (var first = begin; first < end; first += 64u) {
    sums += block(first, min(first + 64u, end), top);
  }
  let s = vec4<f32>(sums);
  let total = select(s.x, (s.x + s.y) + (s.z + s.w), LANES == 4u);
  for (var i = begin; i < end; i += LANES) {
    let y = vec4<f32>(exp(load_x(i) - top) / total);
    store(i, y.x);
    if (LANES == 4u) {
      store(i + 1u, y.y);
      store(i + 2u, y.z);
      store(i + 3u, y.w);
    }
  }
}
