// Cotangents of units, summed over the nodes at which they are on: those of the outputs, already summed over the same nodes
// (ramp_sums.wgsl), times the weights.
// out[m, b, h] = sum over o of sums[m, b, keys[m, b, h], o] w[h, o], 0 for units that are never on
struct Dims {
  paths: u32, steps: u32, units: u32, outputs: u32,
  w_unit: u32, w_output: u32, // strides of the weights
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> keys: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(16, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wid.x + wid.y * groups.x) * 16u + lane;
  if (i >= dims.paths * dims.units) { return; }
  let key = keys[i];
  var sum = 0.0;
  if (key == floor(key)) {
    let from = (i / dims.units * 2u * dims.steps + u32(key)) * dims.outputs;
    let weights = i % dims.units * dims.w_unit;
    for (var o = 0u; o < dims.outputs; o += 4u) {
      let four = o + vec4<u32>(0u, 1u, 2u, 3u);
      let near = min(four, vec4<u32>(dims.outputs - 1u));
      let at = weights + near * dims.w_output;
      let x = vec4<f32>(sums[from + near.x], sums[from + near.y], sums[from + near.z], sums[from + near.w]);
      let y = vec4<f32>(w[at.x], w[at.y], w[at.z], w[at.w]);
      sum += dot(select(vec4<f32>(), x, four == near), select(vec4<f32>(), y, four == near));
    }
  }
  out[i] = sum;
}
