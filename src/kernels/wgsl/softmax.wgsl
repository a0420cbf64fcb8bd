// y[row, k] = exp(x[row, k] - max) / sum. One invocation per row, three passes: largest element, sum, quotient.
struct Dims {
  rows: u32,
  length: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn load_x(i: u32) -> f32 { return x[i]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

fn block(first: u32, last: u32, top: f32) -> f32 {
  var a = 0.0;
  for (var i = first; i < last; i++) {
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
  var top = load_x(begin);
  for (var i = begin + 1u; i < end; i++) {
    top = max(top, load_x(i));
  }
  var total = 0.0;
  for (var first = begin; first < end; first += 64u) {
    total += block(first, min(first + 64u, end), top);
  }
  for (var i = begin; i < end; i++) {
    store(i, exp(load_x(i) - top) / total);
  }
}
