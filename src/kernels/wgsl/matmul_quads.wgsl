enable subgroups;
// C = A B in registers, for adapters whose subgroups are four invocations. Each has a TM x 16 tile of its own, with the same
// 16 columns: it loads four of them and hands them round, which costs a quarter of a load. Four k at a turn, in vectors:
// k and n are multiples of 4, and so is m if A is stored transposed.
// a [planes, M, K] (or [planes, K, M] if ta), b [planes, K, N] (or [planes, N, K] if tb), out [planes, M, N].
const TM = 8u; // tune
const TA = 0u; // tune
const TB = 0u; // tune
struct Dims {
  m: u32, n: u32, k: u32, planes: u32,
  a_div: u32, a_mod: u32, b_div: u32, b_mod: u32,
  ta: u32, tb: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// Where the four vectors of a 4 x 4 block begin: along k for four rows, or along four rows for k to k + 3.
// Rows beyond the edge repeat the last one; their results are not stored.
fn vectors(first: u32, extent: u32, along: bool, base: u32) -> vec4<u32> {
  let four = vec4<u32>(0u, 1u, 2u, 3u);
  if (along) { return (base + min(first, extent - 4u) + four * extent) / 4u; }
  return (base + min(first + four, vec4<u32>(extent - 1u)) * dims.k) / 4u;
}

// Column r holds four k of row r.
fn block_a(i: vec4<u32>) -> mat4x4<f32> {
  let v = mat4x4<f32>(a[i.x], a[i.y], a[i.z], a[i.w]);
  if (TA == 1u) { return transpose(v); }
  return v;
}
// Column k holds four columns of the result.
fn block_b(i: vec4<u32>) -> mat4x4<f32> {
  let v = mat4x4<f32>(b[i.x], b[i.y], b[i.z], b[i.w]);
  if (TB == 1u) { return transpose(v); }
  return v;
}
// Adds four k to each row. By columns: of a product of whole matrices, SwiftShader would keep much in memory and take a tenth longer.
fn add(c: mat4x4<f32>, y: mat4x4<f32>, x: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(c[0] + y * x[0], c[1] + y * x[1], c[2] + y * x[2], c[3] + y * x[3]);
}
@compute @workgroup_size(4, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(subgroup_invocation_id) lane: u32) {
  let columns = (dims.n + 15u) / 16u;
  let rows = (dims.m + 4u * TM - 1u) / (4u * TM);
  let tile = wid.x + wid.y * groups.x;
  if (tile >= dims.planes * rows * columns) { return; }
  let plane = tile / (rows * columns);
  let row = ((tile / columns) % rows * 4u + lane) * TM;
  let column = (tile % columns) * 16u;

  let base_a = ((plane / dims.a_div) % dims.a_mod) * dims.m * dims.k;
  let base_b = ((plane / dims.b_div) % dims.b_mod) * dims.k * dims.n;
  let step_a = select(1u, dims.m, TA == 1u);
  let step_b = select(dims.n, 1u, TB == 1u);
  let a0 = vectors(row, dims.m, TA == 1u, base_a);
  let a1 = vectors(row + 4u, dims.m, TA == 1u, base_a);
  let b0 = vectors(column + 4u * lane, dims.n, TB == 0u, base_b);

  // A block of 4 x 4: column r of the matrix holds four columns of row r.
  var c00 = mat4x4<f32>(); var c01 = mat4x4<f32>(); var c02 = mat4x4<f32>(); var c03 = mat4x4<f32>();
  var c10 = mat4x4<f32>(); var c11 = mat4x4<f32>(); var c12 = mat4x4<f32>(); var c13 = mat4x4<f32>();
  for (var k = 0u; k < dims.k / 4u; k++) {
    let y = block_b(b0 + k * step_b);
    let y0 = mat4x4<f32>(quadBroadcast(y[0], 0u), quadBroadcast(y[1], 0u), quadBroadcast(y[2], 0u), quadBroadcast(y[3], 0u));
    let y1 = mat4x4<f32>(quadBroadcast(y[0], 1u), quadBroadcast(y[1], 1u), quadBroadcast(y[2], 1u), quadBroadcast(y[3], 1u));
    let y2 = mat4x4<f32>(quadBroadcast(y[0], 2u), quadBroadcast(y[1], 2u), quadBroadcast(y[2], 2u), quadBroadcast(y[3], 2u));
    let y3 = mat4x4<f32>(quadBroadcast(y[0], 3u), quadBroadcast(y[1], 3u), quadBroadcast(y[2], 3u), quadBroadcast(y[3], 3u));
    let x0 = block_a(a0 + k * step_a);
    c00 = add(c00, y0, x0); c01 = add(c01, y1, x0); c02 = add(c02, y2, x0); c03 = add(c03, y3, x0);
    if (TM > 4u) {
      let x1 = block_a(a1 + k * step_a);
      c10 = add(c10, y0, x1); c11 = add(c11, y1, x1); c12 = add(c12, y2, x1); c13 = add(c13, y3, x1);
    }
  }

  // One place that stores, so that a fused epilogue does not appear once for every element of the tile. An array of matrices,
  // read by two numbers, would slow down the loop above.
  var c = array<vec4<f32>, 32>(
    c00[0], c00[1], c00[2], c00[3], c01[0], c01[1], c01[2], c01[3], c02[0], c02[1], c02[2], c02[3], c03[0], c03[1], c03[2], c03[3],
    c10[0], c10[1], c10[2], c10[3], c11[0], c11[1], c11[2], c11[3], c12[0], c12[1], c12[2], c12[3], c13[0], c13[1], c13[2], c13[3],
  );
  let blocks = min(4u, (dims.n - column) / 4u);
  for (var r = 0u; r < TM; r++) {
    if (row + r >= dims.m) { break; }
    let first = (plane * dims.m + row + r) * dims.n + column;
    for (var j = 0u; j < blocks; j++) {
      let v = c[r / 4u * 16u + j * 4u + r % 4u];
      let at = first + 4u * j;
      store(at, v.x);
      store(at + 1u, v.y);
      store(at + 2u, v.z);
      store(at + 3u, v.w);
    }
  }
}
