// What units that are on from some node to the last, or from the first to some node, receive: sums of the cotangents of these
// nodes. Row r < S of a path is the sum over its nodes r, ..., S - 1 in ascending order; row S + r that over nodes 0, ..., S - 1 - r.
// ct [M, S, B, O] -> [M, B, 2 S, O]
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

fn load_ct(i: u32) -> f32 { return ct[i]; } // fuse

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
  for (var row = dims.steps; row > 0u; row--) {
    let s = u32(sorted[sorted_at + select(row - 1u, dims.steps - row, sweep == 1u)]);
    let from = ((baseline * dims.given + s) * dims.examples + example) * dims.outputs + columns;
    if (s < dims.given) { sum += vec4<f32>(load_ct(from.x), load_ct(from.y), load_ct(from.z), load_ct(from.w)); }
    let to = (result + row - 1u) * dims.outputs + columns;
    out[to.x] = sum.x;
    out[to.y] = sum.y;
    out[to.z] = sum.z;
    out[to.w] = sum.w;
  }
}
