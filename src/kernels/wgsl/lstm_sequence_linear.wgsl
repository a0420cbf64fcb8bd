// What the linearised steps of an LSTM and their transpose share: lstm_sequence_tangent.wgsl says what is what.
const UNITS = 64u; // tune
struct Dims {
  rows: u32, steps: u32, size: u32,
  // 0 and 1, or steps - 1 and -1 for the other direction.
  first: u32, stride: u32,
  // Row of `point` and `before` that belongs to a row of `source`: (row / outer) * inner + row % inner.
  outer: u32, inner: u32,
  // Which sources there are: 1 for gates, 2 for h, 4 for c. The bindings of the others hold something else.
  given: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> point: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> gates: array<f32>;
@group(0) @binding(5) var<storage, read> hidden: array<f32>;
@group(0) @binding(6) var<storage, read> cells: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

fn gate(i: vec4<u32>) -> vec4<f32> { return vec4<f32>(point[i.x], point[i.y], point[i.z], point[i.w]); }
fn source(i: vec4<u32>) -> vec4<f32> {
  if ((dims.given & 1u) == 0u) { return vec4<f32>(); }
  return vec4<f32>(gates[i.x], gates[i.y], gates[i.z], gates[i.w]);
}
fn source_h(i: vec4<u32>) -> vec4<f32> {
  if ((dims.given & 2u) == 0u) { return vec4<f32>(); }
  return vec4<f32>(hidden[i.x], hidden[i.y], hidden[i.z], hidden[i.w]);
}
fn source_c(i: vec4<u32>) -> vec4<f32> {
  if ((dims.given & 4u) == 0u) { return vec4<f32>(); }
  return vec4<f32>(cells[i.x], cells[i.y], cells[i.z], cells[i.w]);
}

fn put(i: vec4<u32>, v: vec4<f32>) {
  out[i.x] = v.x; out[i.y] = v.y; out[i.z] = v.z; out[i.w] = v.w;
}

// Value and derivative.
fn sigmoid(x: vec4<f32>) -> mat2x4<f32> {
  let e = exp(-min(abs(x), vec4<f32>(80.0)));
  let s = 1.0 / (1.0 + e);
  return mat2x4<f32>(select(s, e * s, x < vec4<f32>()), e * s * s);
}

fn hyperbolic(x: vec4<f32>) -> mat2x4<f32> {
  let e = exp(-2.0 * min(abs(x), vec4<f32>(40.0)));
  let s = 1.0 / (1.0 + e);
  let z = x * x;
  // The odd series where 1 - e would cancel.
  let series = x + x * z * (-1.0 / 3.0 + z * (2.0 / 15.0 + z * (-17.0 / 315.0 + z * (62.0 / 2835.0))));
  return mat2x4<f32>(select(sign(x) * (1.0 - e) * s, series, z < vec4<f32>(0.04)), 4.0 * e * s * s);
}
