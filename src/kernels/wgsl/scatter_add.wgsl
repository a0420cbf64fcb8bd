// y[shared, before, n, after] = sum of updates[shared, before, j, after] over the j with indices[shared, j] = n. One invocation
// per COLUMNS neighbouring outputs looks at every index: no atomics, and additions in one fixed order.
const COLUMNS = 16u;
struct Dims {
  blocks: u32,
  count: u32,
  size: u32,
  after: u32,
  before: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read> updates: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn load_updates(i: u32) -> f32 { return updates[i]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = (wid.x + wid.y * groups.x) * 64u + lane;
  if (block >= dims.blocks) { return; }
  let across = (dims.after + COLUMNS - 1u) / COLUMNS;
  let column = block % across * COLUMNS;
  let width = min(COLUMNS, dims.after - column);
  let n = block / across % dims.size;
  let row = block / (across * dims.size);
  let first = (row / dims.before) * dims.count;
  var totals = array<f32, COLUMNS>();
  for (var j = 0u; j < dims.count; j++) {
    if (indices[first + j] == i32(n)) {
      let at = (row * dims.count + j) * dims.after + column;
      for (var k = 0u; k < width; k++) { totals[k] += load_updates(at + k); }
    }
  }
  let at = (row * dims.size + n) * dims.after + column;
  for (var k = 0u; k < width; k++) { store(at + k, totals[k]); }
}
