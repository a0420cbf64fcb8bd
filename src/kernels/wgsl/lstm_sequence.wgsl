// All steps of an LSTM for four sequences per workgroup, one invocation per unit: z = gates + h R, c' = f c + i g,
// h' = o tanh(c'). The four sequences are the components of a vector; h goes from step to step in workgroup memory.
// gates [rows, steps, 4 size] (i, f, g, o), weights [size rounded up to 4, size, 4], c [rows, size]
// -> out [rows, steps, 6 size]: z, h', c'.
const UNITS = 64u; // tune
struct Dims {
  rows: u32, steps: u32, size: u32,
  // 0 and 1, or steps - 1 and -1 for the other direction.
  first: u32, stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> gates: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

// Two states in turns, so that one barrier per step is enough.
var<workgroup> states: array<vec4<f32>, 2u * UNITS>;

fn gate(i: vec4<u32>) -> vec4<f32> { return vec4<f32>(gates[i.x], gates[i.y], gates[i.z], gates[i.w]); }

fn put(i: vec4<u32>, v: vec4<f32>) {
  out[i.x] = v.x; out[i.y] = v.y; out[i.z] = v.z; out[i.w] = v.w;
}

fn sigmoid(x: vec4<f32>) -> vec4<f32> {
  let e = exp(-min(abs(x), vec4<f32>(200.0)));
  return select(vec4<f32>(1.0), e, x < vec4<f32>()) / (1.0 + e);
}

// The odd series where 1 - e would cancel.
fn hyperbolic(x: vec4<f32>) -> vec4<f32> {
  let e = exp(-2.0 * min(abs(x), vec4<f32>(40.0)));
  let z = x * x;
  let series = x + x * z * (-1.0 / 3.0 + z * (2.0 / 15.0 + z * (-17.0 / 315.0 + z * (62.0 / 2835.0))));
  return select(sign(x) * (1.0 - e) / (1.0 + e), series, z < vec4<f32>(0.04));
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
  let own = min(unit, size - 1u);
  let start = row * size + own;
  var cell = vec4<f32>(c[start.x], c[start.y], c[start.z], c[start.w]);
  var turn = 0u;
  for (var n = 0u; n < dims.steps; n++) {
    let step = row * dims.steps + dims.first + n * dims.stride;
    let z = step * 4u * size + own;
    var i = gate(z);
    var f = gate(z + size);
    var g = gate(z + 2u * size);
    var o = gate(z + 3u * size);
    if (n > 0u) {
      for (var k = 0u; k < size; k += 4u) {
        let at = turn + k;
        let w = k * size + own;
        let h = mat4x4<f32>(states[at], states[at + 1u], states[at + 2u], states[at + 3u]);
        let r = transpose(mat4x4<f32>(weights[w], weights[w + size], weights[w + 2u * size], weights[w + 3u * size]));
        i += h * r[0]; f += h * r[1]; g += h * r[2]; o += h * r[3];
      }
    }
    cell = sigmoid(f) * cell + sigmoid(i) * hyperbolic(g);
    let h = sigmoid(o) * hyperbolic(cell);
    turn = UNITS - turn;
    states[turn + unit] = h;
    if (unit < size) {
      let at = step * 6u * size + own;
      put(at, i); put(at + size, f); put(at + 2u * size, g); put(at + 3u * size, o);
      put(at + 4u * size, h); put(at + 5u * size, cell);
    }
    workgroupBarrier();
  }
}
