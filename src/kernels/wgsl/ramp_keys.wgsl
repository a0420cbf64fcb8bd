// The place of a unit in the order in which sweeps over nodes meet units (ramp_rows.wgsl): S - n if it is on at the last n of the S
// nodes, S - 1 + n if at the first n, between the two kinds if nowhere. A line that is rounded is still monotonic, so that
// bisection finds the node where it switches.
struct Dims {
  paths: u32, examples: u32, steps: u32, units: u32,
  own: u32, // examples that have nodes of their own: 1 for all, or each
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> start: array<f32>;
@group(0) @binding(2) var<storage, read> along: array<f32>;
@group(0) @binding(3) var<storage, read> nodes: array<f32>;
@group(0) @binding(4) var<storage, read> sorted: array<i32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(16, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wid.x + wid.y * groups.x) * 16u + lane;
  if (i >= dims.paths * dims.units) { return; }
  let from = start[i];
  let tangent = along[i];
  let path = i / dims.units;
  let baseline = path / dims.examples;
  let set = min(path - baseline * dims.examples, dims.own - 1u);
  let sorted_at = (baseline * dims.own + set) * dims.steps;
  let rises = tangent > 0.0;
  // Nodes before `low` are on the side of the first one, nodes from `high` on are not.
  var low = 0u;
  var high = dims.steps;
  while (low < high) {
    let middle = (low + high) / 2u;
    let on = from + nodes[(baseline * dims.steps + u32(sorted[sorted_at + middle])) * dims.own + set] * tangent > 0.0;
    if (on == rises) { high = middle; } else { low = middle + 1u; }
  }
  let never = low == select(0u, dims.steps, rises);
  out[i] = select(f32(select(dims.steps - 1u + low, low, rises)), f32(dims.steps) - 0.5, never);
}
