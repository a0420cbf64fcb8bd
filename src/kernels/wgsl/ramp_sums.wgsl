// What units that are on from some node to the last, or from the first to some node, receive: sums of the cotangents of these
// nodes. Row S - n of a path is the sum over its last n nodes, row S - 1 + n that over the first n: as in ramp_keys.wgsl.
// ct [M, S', B, O] of the first S' nodes as they are given -> [M, B, 2 S, O]
struct Dims {
  paths: u32, examples: u32, steps: u32,
  given: u32, // the first nodes have cotangents
  outputs: u32,
  own: u32, // examples that have nodes of their own: 1 for all, or each
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> ct: array<f32>;
@group(0) @binding(2) var<storage, read> sorted: array<i32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(16, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tiles = (dims.outputs + 3u) / 4u;
  let i = (wid.x + wid.y * groups.x) * 16u + lane;
  let output = i % tiles * 4u;
  let sweep = i / tiles % 2u;
  let path = i / tiles / 2u;
  if (path >= dims.paths) { return; }
  let columns = min(output + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(dims.outputs - 1u));
  let baseline = path / dims.examples;
  let example = path - baseline * dims.examples;
  let sorted_at = (baseline * dims.own + min(example, dims.own - 1u)) * dims.steps;
  let result = (path * 2u + sweep) * dims.steps;
  var sum = vec4<f32>();
  for (var i = 0u; i < dims.steps; i++) {
    let row = select(dims.steps - 1u - i, i, sweep == 1u);
    let s = u32(sorted[sorted_at + row]);
    if (s < dims.given) {
      let from = ((baseline * dims.given + s) * dims.examples + example) * dims.outputs + columns;
      sum += vec4<f32>(ct[from.x], ct[from.y], ct[from.z], ct[from.w]);
    }
    let to = (result + row) * dims.outputs + columns;
    out[to.x] = sum.x;
    out[to.y] = sum.y;
    out[to.z] = sum.z;
    out[to.w] = sum.w;
  }
}
