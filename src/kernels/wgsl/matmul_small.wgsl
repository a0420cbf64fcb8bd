// C = A B for any extents and layouts, 4 x 4 elements for each invocation: little text, which a software adapter builds in a
// third of the time that the large tiles take. GROUP terms are added to one another first, then to the sum, as there.
// a [planes, M, K] (or [planes, K, M] if ta), b [planes, K, N] (or [planes, N, K] if tb), out [planes, M, N].
const GROUP = 4u; // tune
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

// Rows and columns beyond the edge repeat the last one; their results are not stored.
fn offsets(first: u32, extent: u32, stride: u32, base: u32) -> vec4<u32> {
  return min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(extent - 1u)) * stride + base;
}

@compute @workgroup_size(8, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let columns = (dims.n + 3u) / 4u;
  let rows = (dims.m + 3u) / 4u;
  let tile = (wid.x + wid.y * groups.x) * 8u + lane;
  if (tile >= dims.planes * rows * columns) { return; }
  let plane = tile / (rows * columns);
  let row = ((tile / columns) % rows) * 4u;
  let column = (tile % columns) * 4u;

  let base_a = ((plane / dims.a_div) % dims.a_mod) * dims.m * dims.k;
  let base_b = ((plane / dims.b_div) % dims.b_mod) * dims.k * dims.n;
  let step_a = select(1u, dims.m, dims.ta == 1u);
  let step_b = select(dims.n, 1u, dims.tb == 1u);
  let a0 = offsets(row, dims.m, select(dims.k, 1u, dims.ta == 1u), base_a);
  let b0 = offsets(column, dims.n, select(1u, dims.k, dims.tb == 1u), base_b);

  // Column r of the matrix holds four columns of row r.
  var c = mat4x4<f32>();
  for (var k = 0u; k < dims.k; k += GROUP) {
    var terms = mat4x4<f32>();
    for (var j = k; j < min(k + GROUP, dims.k); j++) {
      let i = a0 + j * step_a;
      let l = b0 + j * step_b;
      let x = vec4<f32>(a[i.x], a[i.y], a[i.z], a[i.w]);
      let y = vec4<f32>(b[l.x], b[l.y], b[l.z], b[l.w]);
      terms += mat4x4<f32>(y * x.x, y * x.y, y * x.z, y * x.w);
    }
    c += terms;
  }

  let at = (plane * dims.m + row) * dims.n + column;
  let count = min(4u, dims.n - column);
  for (var r = 0u; r < min(4u, dims.m - row); r++) {
    for (var j = 0u; j < count; j++) { store(at + r * dims.n + j, c[r][j]); }
  }
}
