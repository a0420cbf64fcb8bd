// The steps of lstm_sequence.wgsl linearised at `point`, with sources s: a' = s_a + h R, then (h', c') = s + J (a', c), with J the
// derivative of a step at its gates and the c before it. Four sequences per workgroup, one invocation per unit.
// point [.., steps, 6 size] as lstm_sequence makes it, before [.., steps, size], weights [size rounded up to 4, size, 4],
// gates [rows, steps, 4 size], hidden and cells [rows, steps, size] (sources) -> out [rows, steps, 6 size]: a, h, c.
// Joined to lstm_sequence_linear.wgsl.

// Two states in turns, so that one barrier per step is enough.
var<workgroup> states: array<vec4<f32>, 2u * UNITS>;

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
