// y[outer, inner] = log(sum over r of exp(x[outer, r, inner])). One invocation per output, two passes: the largest
// element first, so that no exponential exceeds 1.
struct Dims {
  outputs: u32,
  length: u32,
  inner: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn load_x(i: u32) -> f32 { return x[i]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

fn block(first: u32, last: u32, base: u32, top: f32) -> f32 {
  var a = 0.0;
  for (var r = first; r < last; r++) {
    a += exp(load_x(base + r * dims.inner) - top);
  }
  return a;
}

// log(s) for s in [1, length], relative error of log(s) small also near s = 1 (which the built-in log is not).
fn log_of_sum(s: f32) -> f32 {
  if (s > 1.5) { return log(s); }
  let q = (s - 1.0) / (s + 1.0);
  let z = q * q;
  return 2.0 * q * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0)))));
}

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (wid.x + wid.y * groups.x) * 64u + lane;
  if (o >= dims.outputs) { return; }
  let base = (o / dims.inner) * dims.length * dims.inner + o % dims.inner;
  // A finite lowest value: with every element -infinity the differences are still defined.
  var top = -3.4028234e38;
  for (var r = 0u; r < dims.length; r++) {
    top = max(top, load_x(base + r * dims.inner));
  }
  var total = 0.0;
  for (var first = 0u; first < dims.length; first += 64u) {
    total += block(first, min(first + 64u, dims.length), base, top);
  }
  store(o, top + log_of_sum(total));
}
