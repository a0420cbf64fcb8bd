// One step of an LSTM: c' = f c + i g and h = o tanh(c'), with i, f, o = sigmoid and g = tanh of their columns of `gates`.
// gates [rows, 4 size], c [rows, size] -> out [rows, 2 size]: h, then c'. One invocation per unit of a row.
struct Dims {
  units: u32,
  size: u32,
  // First column of each gate.
  i: u32, f: u32, g: u32, o: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> gates: array<f32>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

fn sigmoid(x: f32) -> f32 {
  let e = exp(-min(abs(x), 200.0));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}

// The odd series where 1 - e would cancel.
fn hyperbolic(x: f32) -> f32 {
  let e = exp(-2.0 * min(abs(x), 40.0));
  let z = x * x;
  let series = x + x * z * (-1.0 / 3.0 + z * (2.0 / 15.0 + z * (-17.0 / 315.0 + z * (62.0 / 2835.0))));
  return select(sign(x) * (1.0 - e) / (1.0 + e), series, z < 0.04);
}

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let unit = (wid.x + wid.y * groups.x) * 64u + lane;
  if (unit >= dims.units) { return; }
  let row = unit / dims.size;
  let column = unit % dims.size;
  let z = row * 4u * dims.size + column;

  let input = sigmoid(gates[z + dims.i]) * hyperbolic(gates[z + dims.g]);
  let next = sigmoid(gates[z + dims.f]) * c[unit] + input;
  let at = row * 2u * dims.size + column;
  store(at, sigmoid(gates[z + dims.o]) * hyperbolic(next));
  store(at + dims.size, next);
}
