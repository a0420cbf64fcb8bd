// r[row, k] = y[row, k] (t[row, k] - sum over j of y[row, j] t[row, j]). One invocation per row.
struct Dims {
  rows: u32,
  length: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn load_y(i: u32) -> f32 { return y[i]; } // fuse
fn load_t(i: u32) -> f32 { return t[i]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

fn block(first: u32, last: u32) -> f32 {
  var a = 0.0;
  for (var i = first; i < last; i++) {
    a += load_y(i) * load_t(i);
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
  var mean = 0.0;
  for (var first = begin; first < end; first += 64u) {
    mean += block(first, min(first + 64u, end));
  }
  for (var i = begin; i < end; i++) {
    store(i, load_y(i) * (load_t(i) - mean));
  }
}
