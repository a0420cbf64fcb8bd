// C = A B for any extents. One invocation computes a 4 x 4 tile of C; no barriers.
// a [planes, M, K] (or [planes, K, M] if ta), b [planes, K, N] (or [planes, N, K] if tb), out [planes, M, N].
struct Dims {
  m: u32, n: u32, k: u32, planes: u32,
  a_div: u32, a_mod: u32, b_div: u32, b_mod: u32,
  ta: u32, tb: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

fn store_row(plane: u32, row: u32, column: u32, v: vec4<f32>) {
  if (row >= dims.m) { return; }
  let at = (plane * dims.m + row) * dims.n + column;
  for (var j = 0u; j < min(4u, dims.n - column); j++) { store(at + j, v[j]); }
}

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let columns = (dims.n + 3u) / 4u;
  let rows = (dims.m + 3u) / 4u;
  let tile = (wid.x + wid.y * groups.x) * 64u + lane;
  if (tile >= dims.planes * rows * columns) { return; }
  let plane = tile / (rows * columns);
  let row = ((tile / columns) % rows) * 4u;
  let column = (tile % columns) * 4u;

  let a_row = select(dims.k, 1u, dims.ta == 1u);
  let a_step = select(1u, dims.m, dims.ta == 1u);
  let b_column = select(1u, dims.k, dims.tb == 1u);
  let b_step = select(dims.n, 1u, dims.tb == 1u);
  // Rows and columns beyond the edge repeat the last one; their results are not stored.
  let r = min(vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(dims.m - 1u)) * a_row;
  let c = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(dims.n - 1u)) * b_column;
  var at_a = r + ((plane / dims.a_div) % dims.a_mod) * dims.m * dims.k;
  var at_b = c + ((plane / dims.b_div) % dims.b_mod) * dims.k * dims.n;

  var acc0 = vec4<f32>(); var acc1 = vec4<f32>(); var acc2 = vec4<f32>(); var acc3 = vec4<f32>();
  for (var k = 0u; k < dims.k; k++) {
    let y = vec4<f32>(b[at_b.x], b[at_b.y], b[at_b.z], b[at_b.w]);
    acc0 = fma(vec4<f32>(a[at_a.x]), y, acc0);
    acc1 = fma(vec4<f32>(a[at_a.y]), y, acc1);
    acc2 = fma(vec4<f32>(a[at_a.z]), y, acc2);
    acc3 = fma(vec4<f32>(a[at_a.w]), y, acc3);
    at_a += vec4<u32>(a_step);
    at_b += vec4<u32>(b_step);
  }
  store_row(plane, row, column, acc0);
  store_row(plane, row + 1u, column, acc1);
  store_row(plane, row + 2u, column, acc2);
  store_row(plane, row + 3u, column, acc3);
}
