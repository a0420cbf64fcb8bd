// C = A B where the contiguous axes of A and B and the inner extent K are multiples of 4.
// One invocation computes an 8 x 8 tile of C with 16-byte loads and no barriers: 16 loads for 256 multiply-adds.
// a [planes, M, K] (or [planes, K, M] if TA), b [planes, K, N] (or [planes, N, K] if TB), out [planes, M, N].
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

fn store_four(at: u32, count: u32, v: vec4<f32>) {
  if (count > 0u) { store(at, v.x); }
  if (count > 1u) { store(at + 1u, v.y); }
  if (count > 2u) { store(at + 2u, v.z); }
  if (count > 3u) { store(at + 3u, v.w); }
}

fn store_row(plane: u32, row: u32, column: u32, left: vec4<f32>, right: vec4<f32>) {
  if (row >= dims.m) { return; }
  let at = (plane * dims.m + row) * dims.n + column;
  let count = dims.n - column;
  store_four(at, count, left);
  if (count > 4u) { store_four(at + 4u, count - 4u, right); }
}

// Four consecutive k of eight rows of A (or columns of B): element r is one row's vec4 along k.
struct Panel { lo: mat4x4<f32>, hi: mat4x4<f32> }

fn panel_a(base: u32, row: u32, k: u32) -> Panel {
  if (TA == 0u) {
    let last = dims.m - 1u;
    let stride = dims.k / 4u;
    let at = base + k / 4u;
    return Panel(
      mat4x4<f32>(a[at + min(row, last) * stride], a[at + min(row + 1u, last) * stride],
                  a[at + min(row + 2u, last) * stride], a[at + min(row + 3u, last) * stride]),
      mat4x4<f32>(a[at + min(row + 4u, last) * stride], a[at + min(row + 5u, last) * stride],
                  a[at + min(row + 6u, last) * stride], a[at + min(row + 7u, last) * stride]));
  }
  let stride = dims.m / 4u;
  let left = base + k * stride + row / 4u;
  let right = base + k * stride + min(row / 4u + 1u, stride - 1u);
  return Panel(
    transpose(mat4x4<f32>(a[left], a[left + stride], a[left + 2u * stride], a[left + 3u * stride])),
    transpose(mat4x4<f32>(a[right], a[right + stride], a[right + 2u * stride], a[right + 3u * stride])));
}

// Four consecutive k of eight columns of B: column kk of `lo` holds four columns of B at k + kk.
fn panel_b(base: u32, column: u32, k: u32) -> Panel {
  if (TB == 0u) {
    let stride = dims.n / 4u;
    let left = base + k * stride + column / 4u;
    let right = base + k * stride + min(column / 4u + 1u, stride - 1u);
    return Panel(
      mat4x4<f32>(b[left], b[left + stride], b[left + 2u * stride], b[left + 3u * stride]),
      mat4x4<f32>(b[right], b[right + stride], b[right + 2u * stride], b[right + 3u * stride]));
  }
  let last = dims.n - 1u;
  let stride = dims.k / 4u;
  let at = base + k / 4u;
  return Panel(
    transpose(mat4x4<f32>(b[at + min(column, last) * stride], b[at + min(column + 1u, last) * stride],
                          b[at + min(column + 2u, last) * stride], b[at + min(column + 3u, last) * stride])),
    transpose(mat4x4<f32>(b[at + min(column + 4u, last) * stride], b[at + min(column + 5u, last) * stride],
                          b[at + min(column + 6u, last) * stride], b[at + min(column + 7u, last) * stride])));
}

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let columns = (dims.n + 7u) / 8u;
  let rows = (dims.m + 7u) / 8u;
  let tile = (wid.x + wid.y * groups.x) * 64u + lane;
  if (tile >= dims.planes * rows * columns) { return; }
  let plane = tile / (rows * columns);
  let row = ((tile / columns) % rows) * 8u;
  let column = (tile % columns) * 8u;
  let base_a = ((plane / dims.a_div) % dims.a_mod) * dims.m * dims.k / 4u;
  let base_b = ((plane / dims.b_div) % dims.b_mod) * dims.k * dims.n / 4u;

  var l0 = vec4<f32>(); var r0 = vec4<f32>();
  var l1 = vec4<f32>(); var r1 = vec4<f32>();
  var l2 = vec4<f32>(); var r2 = vec4<f32>();
  var l3 = vec4<f32>(); var r3 = vec4<f32>();
  var l4 = vec4<f32>(); var r4 = vec4<f32>();
  var l5 = vec4<f32>(); var r5 = vec4<f32>();
  var l6 = vec4<f32>(); var r6 = vec4<f32>();
  var l7 = vec4<f32>(); var r7 = vec4<f32>();
  for (var k = 0u; k < dims.k; k += 4u) {
    let x = panel_a(base_a, row, k);
    let y = panel_b(base_b, column, k);
    l0 += y.lo * x.lo[0]; r0 += y.hi * x.lo[0];
    l1 += y.lo * x.lo[1]; r1 += y.hi * x.lo[1];
    l2 += y.lo * x.lo[2]; r2 += y.hi * x.lo[2];
    l3 += y.lo * x.lo[3]; r3 += y.hi * x.lo[3];
    l4 += y.lo * x.hi[0]; r4 += y.hi * x.hi[0];
    l5 += y.lo * x.hi[1]; r5 += y.hi * x.hi[1];
    l6 += y.lo * x.hi[2]; r6 += y.hi * x.hi[2];
    l7 += y.lo * x.hi[3]; r7 += y.hi * x.hi[3];
  }
  store_row(plane, row + 0u, column, l0, r0);
  store_row(plane, row + 1u, column, l1, r1);
  store_row(plane, row + 2u, column, l2, r2);
  store_row(plane, row + 3u, column, l3, r3);
  store_row(plane, row + 4u, column, l4, r4);
  store_row(plane, row + 5u, column, l5, r5);
  store_row(plane, row + 6u, column, l6, r6);
  store_row(plane, row + 7u, column, l7, r7);
}
