// C = A B for any extents and layouts, in registers: one invocation computes a TM x TN tile of C, without barriers.
// a [planes, M, K] (or [planes, K, M] if ta), b [planes, K, N] (or [planes, N, K] if tb), out [planes, M, N].
// TM is 4 or 8, TN is 4, 8 or 16. A software adapter pays for every element it loads, and for every accumulator at each
// turn of a loop: hence large tiles and two k at a turn, until the loop outgrows the processor's cache for instructions.
const TM = 8u; // tune
const TN = 16u; // tune
// 4 and vec4<f32> where elements of A in one column (of B in one row) lie side by side and their number is a multiple of 4:
// four are then loaded at once.
const UNIT_A = 1u; // tune
const UNIT_B = 1u; // tune
alias LoadA = f32; // tune
alias LoadB = f32; // tune
struct Dims {
  m: u32, n: u32, k: u32, planes: u32,
  a_div: u32, a_mod: u32, b_div: u32, b_mod: u32,
  ta: u32, tb: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> a: array<LoadA>;
@group(0) @binding(2) var<storage, read> b: array<LoadB>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// Rows and columns beyond the edge repeat the last one; their results are not stored.
fn offsets(first: u32, extent: u32, stride: u32, base: u32) -> vec4<u32> {
  return min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(extent - 1u)) * stride + base;
}

// The conversions let each branch compile for either type of element.
fn one_a(i: u32) -> f32 { return vec4<f32>(a[i]).x; }
fn one_b(i: u32) -> f32 { return vec4<f32>(b[i]).x; }
fn four_a(i: vec4<u32>) -> vec4<f32> {
  if (UNIT_A > 1u) { return vec4<f32>(a[i.x]); }
  return vec4<f32>(one_a(i.x), one_a(i.y), one_a(i.z), one_a(i.w));
}
fn four_b(i: vec4<u32>) -> vec4<f32> {
  if (UNIT_B > 1u) { return vec4<f32>(b[i.x]); }
  return vec4<f32>(one_b(i.x), one_b(i.y), one_b(i.z), one_b(i.w));
}

// Four rows of A (columns of B) at k and k + 1; zero beyond the last k.
fn panel_a(i: vec4<u32>, step: u32, both: bool) -> mat2x4<f32> {
  return mat2x4<f32>(four_a(i), select(vec4<f32>(), four_a(i + step), both));
}
fn panel_b(i: vec4<u32>, step: u32, both: bool) -> mat2x4<f32> {
  return mat2x4<f32>(four_b(i), select(vec4<f32>(), four_b(i + step), both));
}

// By columns, see wgsl/matmul_quads.wgsl.
fn add(c: mat4x4<f32>, y: mat2x4<f32>, x: mat4x2<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(c[0] + y * x[0], c[1] + y * x[1], c[2] + y * x[2], c[3] + y * x[3]);
}

@compute @workgroup_size(8, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let columns = (dims.n + TN - 1u) / TN;
  let rows = (dims.m + TM - 1u) / TM;
  let tile = (wid.x + wid.y * groups.x) * 8u + lane;
  if (tile >= dims.planes * rows * columns) { return; }
  let plane = tile / (rows * columns);
  let row = ((tile / columns) % rows) * TM;
  let column = (tile % columns) * TN;

  let row_a = select(dims.k, 1u, dims.ta == 1u);
  let step_a = select(1u, dims.m, dims.ta == 1u) / UNIT_A;
  let column_b = select(1u, dims.k, dims.tb == 1u);
  let step_b = select(dims.n, 1u, dims.tb == 1u) / UNIT_B;
  let base_a = ((plane / dims.a_div) % dims.a_mod) * dims.m * dims.k;
  let base_b = ((plane / dims.b_div) % dims.b_mod) * dims.k * dims.n;
  let a0 = offsets(row, dims.m, row_a, base_a) / UNIT_A;
  let a1 = offsets(row + 4u, dims.m, row_a, base_a) / UNIT_A;
  let b0 = offsets(column, dims.n, column_b, base_b) / UNIT_B;
  let b1 = offsets(column + 4u, dims.n, column_b, base_b) / UNIT_B;
  let b2 = offsets(column + 8u, dims.n, column_b, base_b) / UNIT_B;
  let b3 = offsets(column + 12u, dims.n, column_b, base_b) / UNIT_B;

  // A block of 4 x 4: column r of the matrix holds four columns of row r.
  var c00 = mat4x4<f32>(); var c01 = mat4x4<f32>(); var c02 = mat4x4<f32>(); var c03 = mat4x4<f32>();
  var c10 = mat4x4<f32>(); var c11 = mat4x4<f32>(); var c12 = mat4x4<f32>(); var c13 = mat4x4<f32>();
  for (var k = 0u; k < dims.k; k += 2u) {
    let both = k + 1u < dims.k;
    let at_a = k * step_a;
    let at_b = k * step_b;
    let y0 = panel_b(b0 + at_b, step_b, both);
    var y1 = mat2x4<f32>(); var y2 = mat2x4<f32>(); var y3 = mat2x4<f32>();
    if (TN > 4u) { y1 = panel_b(b1 + at_b, step_b, both); }
    if (TN > 8u) { y2 = panel_b(b2 + at_b, step_b, both); y3 = panel_b(b3 + at_b, step_b, both); }
    {
      let x = transpose(panel_a(a0 + at_a, step_a, both));
      c00 = add(c00, y0, x);
      if (TN > 4u) { c01 = add(c01, y1, x); }
      if (TN > 8u) { c02 = add(c02, y2, x); c03 = add(c03, y3, x); }
    }
    if (TM > 4u) {
      let x = transpose(panel_a(a1 + at_a, step_a, both));
      c10 = add(c10, y0, x);
      if (TN > 4u) { c11 = add(c11, y1, x); }
      if (TN > 8u) { c12 = add(c12, y2, x); c13 = add(c13, y3, x); }
    }
  }

  // One place that stores, so that a fused epilogue does not appear once for every element of the tile.
  var c = array<mat4x4<f32>, 8>(c00, c01, c02, c03, c10, c11, c12, c13);
  for (var r = 0u; r < min(TM, dims.m - row); r++) {
    let at = (plane * dims.m + row + r) * dims.n + column;
    let count = min(TN, dims.n - column);
    for (var j = 0u; j < count; j += 4u) {
      let v = c[r / 4u * 4u + j / 4u][r % 4u];
      store(at + j, v.x);
      if (j + 1u < count) { store(at + j + 1u, v.y); }
      if (j + 2u < count) { store(at + j + 2u, v.z); }
      if (j + 3u < count) { store(at + j + 3u, v.w); }
    }
  }
}
