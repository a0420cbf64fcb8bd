// Tangent of the cotangent of one step of an LSTM (lstm_cotangent.wgsl), for tangents a of the gates, b of the cell state and
// w of the cotangent u: out = J^T w + (u . F'') (a, b), with J and F'' the derivatives of the step.
// gates [.., 4 size], c [.., size], u [..', 2 size], a [rows, 4 size], b [rows, size], w [rows, 2 size] -> out [rows, 5 size]:
// what belongs to the gates, then to c. u and w hold h first, then c'.
struct Dims {
  units: u32,
  size: u32,
  // First column of each gate.
  i: u32, f: u32, g: u32, o: u32,
  // Rows of `gates` and `c`, and of `u`, that belong to a row of the tangents: (row / outer) * inner + row % inner.
  outer: u32, inner: u32,
  u_outer: u32, u_inner: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> gates: array<f32>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read> u: array<f32>;
@group(0) @binding(4) var<storage, read> a: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;
@group(0) @binding(6) var<storage, read> w: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

fn load_u(i: u32) -> f32 { return u[i]; } // fuse
fn load_w(i: u32) -> f32 { return w[i]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

// Value, first and second derivative.
fn sigmoid(x: f32) -> vec3<f32> {
  let e = exp(-min(abs(x), 80.0));
  let s = 1.0 / (1.0 + e);
  let slope = e * s * s;
  return vec3<f32>(select(s, e * s, x < 0.0), slope, -sign(x) * slope * (1.0 - e) * s);
}

fn hyperbolic(x: f32) -> vec3<f32> {
  let e = exp(-2.0 * min(abs(x), 40.0));
  let s = 1.0 / (1.0 + e);
  let z = x * x;
  // The odd series where 1 - e would cancel.
  let series = x + x * z * (-1.0 / 3.0 + z * (2.0 / 15.0 + z * (-17.0 / 315.0 + z * (62.0 / 2835.0))));
  let y = select(sign(x) * (1.0 - e) * s, series, z < 0.04);
  let slope = 4.0 * e * s * s;
  return vec3<f32>(y, slope, -2.0 * y * slope);
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
  let ai = a[t + dims.i];
  let af = a[t + dims.f];
  let ag = a[t + dims.g];
  let ao = a[t + dims.o];

  let at_u = ((row / dims.u_outer) * dims.u_inner + row % dims.u_inner) * 2u * dims.size + column;
  let uh = load_u(at_u);
  let at_w = row * 2u * dims.size + column;
  let wh = load_w(at_w);
  // Cotangent v of c', with what reaches it through h; and the tangents of c' and of v.
  let v = load_u(at_u + dims.size) + uh * o.x * y.y;
  let dc = f.x * b[unit] + before * f.y * af + g.x * i.y * ai + i.x * g.y * ag;
  let dv = load_w(at_w + dims.size) + wh * o.x * y.y + uh * (o.y * ao * y.y + o.x * y.z * dc);

  let at = row * 5u * dims.size + column;
  store(at + dims.i, dv * g.x * i.y + v * (g.y * ag * i.y + g.x * i.z * ai));
  store(at + dims.f, dv * before * f.y + v * (b[unit] * f.y + before * f.z * af));
  store(at + dims.g, dv * i.x * g.y + v * (i.y * ai * g.y + i.x * g.z * ag));
  store(at + dims.o, wh * y.x * o.y + uh * (y.y * dc * o.y + y.x * o.z * ao));
  store(at + 4u * dims.size, dv * f.x + v * f.y * af);
}
