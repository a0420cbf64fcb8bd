// Tangent of one step of an LSTM (lstm_cell.wgsl) for tangents dgates of the gates and dc of the cell state.
// gates [.., 4 size], c [.., size], dgates [rows, 4 size], dc [rows, size] -> out [rows, 2 size]: tangent of h, then of c'.
struct Dims {
  units: u32,
  size: u32,
  // First column of each gate.
  i: u32, f: u32, g: u32, o: u32,
  // Row of `gates` and `c` that belongs to a row of the tangents: (row / outer) * inner + row % inner.
  outer: u32, inner: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> gates: array<f32>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read> dgates: array<f32>;
@group(0) @binding(4) var<storage, read> dc: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// Value and derivative.
fn sigmoid(x: f32) -> vec2<f32> {
  let e = exp(-min(abs(x), 80.0));
  let s = 1.0 / (1.0 + e);
  return vec2<f32>(select(s, e * s, x < 0.0), e * s * s);
}

fn hyperbolic(x: f32) -> vec2<f32> {
  let e = exp(-2.0 * min(abs(x), 40.0));
  let s = 1.0 / (1.0 + e);
  let z = x * x;
  // The odd series where 1 - e would cancel.
  let series = x + x * z * (-1.0 / 3.0 + z * (2.0 / 15.0 + z * (-17.0 / 315.0 + z * (62.0 / 2835.0))));
  return vec2<f32>(select(sign(x) * (1.0 - e) * s, series, z < 0.04), 4.0 * e * s * s);
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
  let own = (row / dims.outer) * dims.inner + row % dims.inner;
  let z = own * 4u * dims.size + column;
  let t = row * 4u * dims.size + column;

  let i = sigmoid(gates[z + dims.i]);
  let f = sigmoid(gates[z + dims.f]);
  let g = hyperbolic(gates[z + dims.g]);
  let o = sigmoid(gates[z + dims.o]);
  let before = c[own * dims.size + column];
  let y = hyperbolic(f.x * before + i.x * g.x);

  let next = f.x * dc[unit] + before * f.y * dgates[t + dims.f] + g.x * i.y * dgates[t + dims.i] + i.x * g.y * dgates[t + dims.g];
  let at = row * 2u * dims.size + column;
  store(at, y.x * o.y * dgates[t + dims.o] + o.x * y.y * next);
  store(at + dims.size, next);
}
