// y[outer, c, inner] = sum of x[outer, d, inner] over c - low <= d <= c + high within the axis. One invocation per output.
struct Dims {
  outputs: u32,
  length: u32,
  inner: u32,
  low: u32,
  high: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn load_x(i: u32) -> f32 { return x[i]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (wid.x + wid.y * groups.x) * 64u + lane;
  if (o >= dims.outputs) { return; }
  let c = (o / dims.inner) % dims.length;
  let first = c - min(c, dims.low);
  let last = min(c + dims.high, dims.length - 1u);
  let base = o - c * dims.inner;
  var total = 0.0;
  for (var d = first; d <= last; d++) {
    total += load_x(base + d * dims.inner);
  }
  store(o, total);
}
