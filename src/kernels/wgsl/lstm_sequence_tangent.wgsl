// The steps of lstm_sequence.wgsl linearised at `point`, with sources s: a' = s_a + h R, then (h', c') = s + J (a', c), with J the
// derivative of a step at its gates and the c before it. Four sequences per workgroup, one invocation per unit.
// point [.., steps, 6 size] as lstm_sequence makes it, before [.., steps, size], weights [size rounded up to 4, size, 4],
// gates [rows, steps, 4 size], hidden and cells [rows, steps, size] (sources) -> out [rows, steps, 6 size]: a, h, c.
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

// Two states in turns, so that one barrier per step is enough.
var<workgroup> states: array<vec4<f32>, 2u * UNITS>;

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

@compute @workgroup_size(UNITS, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) unit: u32,
) {
  let size = dims.size;
  // Rows and units beyond the last one repeat it; such units store nothing.
  let row = min((wid.x + wid.y * groups.x) * 4u + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(dims.rows - 1u));
  let at_point = (row / dims.outer) * dims.inner + row % dims.inner;
  let own = min(unit, size - 1u);
  var cell = vec4<f32>();
  var turn = 0u;
  for (var n = 0u; n < dims.steps; n++) {
    let t = dims.first + n * dims.stride;
    let step = (row * dims.steps + t) * size;
    let s = step * 4u + own;
    let at = step * 6u + own;
    var a_i = source(s);
    var a_f = source(s + size);
    var a_g = source(s + 2u * size);
    var a_o = source(s + 3u * size);
    if (n > 0u) {
      for (var k = 0u; k < size; k += 4u) {
        let first = turn + k;
        let w = k * size + own;
        let h = mat4x4<f32>(states[first], states[first + 1u], states[first + 2u], states[first + 3u]);
        let r = transpose(mat4x4<f32>(weights[w], weights[w + size], weights[w + 2u * size], weights[w + 3u * size]));
        a_i += h * r[0]; a_f += h * r[1]; a_g += h * r[2]; a_o += h * r[3];
      }
    }

    let z = (at_point * dims.steps + t) * 6u * size + own;
    let i = sigmoid(gate(z));
    let f = sigmoid(gate(z + size));
    let g = hyperbolic(gate(z + 2u * size));
    let o = sigmoid(gate(z + 3u * size));
    let b = (at_point * dims.steps + t) * size + own;
    let last = vec4<f32>(before[b.x], before[b.y], before[b.z], before[b.w]);
    let y = hyperbolic(f[0] * last + i[0] * g[0]);

    let next = f[0] * cell + f[1] * last * a_f + i[1] * g[0] * a_i + i[0] * g[1] * a_g;
    let h = source_h(step + own) + o[1] * y[0] * a_o + o[0] * y[1] * next;
    cell = source_c(step + own) + next;
    turn = UNITS - turn;
    states[turn + unit] = h;
    if (unit < size) {
      put(at, a_i); put(at + size, a_f); put(at + 2u * size, a_g); put(at + 3u * size, a_o);
      put(at + 4u * size, h); put(at + 5u * size, cell);
    }
    workgroupBarrier();
  }
}
