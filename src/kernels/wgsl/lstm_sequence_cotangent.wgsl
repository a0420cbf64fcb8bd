// Transpose of lstm_sequence_tangent.wgsl, from the last step to the first: h' = s_h + R a, c' = s_c + what the step after it
// hands back, then (a', c) = (s_a, 0) + J^T (h', c'). Shapes as there, but weights [size, 4, size], both sizes rounded up to 4.
// Joined to lstm_sequence_linear.wgsl.

// What goes from unit to unit: one gate at a time of the step after this one, two buffers in turns. All four gates at once would
// take longer to build: some adapters clear workgroup memory by a store for each of its floats.
var<workgroup> passed: array<vec4<f32>, 2u * UNITS>;

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
  // For the product R a, four invocations share their four units: each takes a quarter of the terms, then they exchange sums.
  let stride = (size + 3u) / 4u;
  let quad = min(unit / 4u, stride - 1u) * 4u;
  let quarter = unit % 4u;
  var a = mat4x4<f32>();
  var cell = vec4<f32>();
  var turn = 0u;
  for (var n = dims.steps; n > 0u; n--) {
    let t = dims.first + (n - 1u) * dims.stride;
    let step = (row * dims.steps + t) * size;
    let s = step * 4u + own;
    let at = step * 6u + own;
    var h = source_h(step + own);
    if (n < dims.steps) {
      var sums = mat4x4<f32>();
      for (var kind = 0u; kind < 4u; kind++) {
        passed[turn + unit] = a[kind];
        workgroupBarrier();
        for (var k = quarter; k < stride; k += 4u) {
          let first = turn + 4u * k;
          let w = (quad * 4u + kind) * stride + k;
          let next = 4u * stride;
          sums += mat4x4<f32>(passed[first], passed[first + 1u], passed[first + 2u], passed[first + 3u])
            * mat4x4<f32>(weights[w], weights[w + next], weights[w + 2u * next], weights[w + 3u * next]);
        }
        turn = UNITS - turn;
      }
      var shares = sums;
      h += shares[quarter];
      for (var other = 1u; other < 4u; other++) {
        passed[turn + (unit ^ other)] = shares[quarter ^ other];
        workgroupBarrier();
        h += passed[turn + unit];
        turn = UNITS - turn;
      }
    }
    cell += source_c(step + own);

    let z = (at_point * dims.steps + t) * 6u * size + own;
    let i = sigmoid(gate(z));
    let f = sigmoid(gate(z + size));
    let g = hyperbolic(gate(z + 2u * size));
    let o = sigmoid(gate(z + 3u * size));
    let b = (at_point * dims.steps + t) * size + own;
    let last = vec4<f32>(before[b.x], before[b.y], before[b.z], before[b.w]);
    let y = hyperbolic(f[0] * last + i[0] * g[0]);

    let c = cell + h * o[0] * y[1];
    a = mat4x4<f32>(
      source(s) + c * g[0] * i[1],
      source(s + size) + c * last * f[1],
      source(s + 2u * size) + c * i[0] * g[1],
      source(s + 3u * size) + h * y[0] * o[1]);
    if (unit < size) {
      put(at, a[0]); put(at + size, a[1]); put(at + 2u * size, a[2]); put(at + 3u * size, a[3]);
      put(at + 4u * size, h); put(at + 5u * size, cell);
    }
    cell = c * f[0];
  }
}
