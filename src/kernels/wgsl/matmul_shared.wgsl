// C = A B for any extents and layouts, through workgroup memory: 256 invocations, each with a 4 x 4 block of C.
// a [planes, M, K] (or [planes, K, M] if ta), b [planes, K, N] (or [planes, N, K] if tb), out [planes, M, N].
// G x G invocations cover a tile of 4 G x 4 G; G is 16, 8 or 4. The 256 / G^2 slices of a workgroup share out the inner
// extent, and their sums are added in order at the end: few rows and columns with a long inner extent still fill a GPU,
// and results do not depend on timing.
const G = 16u; // tune
const SLICES = 256u / (G * G);
// One more than G, so that neighbours write to different banks.
const PITCH = G + 1u;
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

// G steps of k by G groups of four rows (columns), for each slice: at most 4 * 4 * 4 * 5 = 320.
var<workgroup> panel_a: array<vec4<f32>, 320>;
var<workgroup> panel_b: array<vec4<f32>, 320>;

// Rows and columns beyond the edge repeat the last one; their results are not stored.
fn offsets(first: u32, extent: u32, stride: u32, base: u32) -> vec4<u32> {
  return min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(extent - 1u)) * stride + base;
}

@compute @workgroup_size(256, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let columns = (dims.n + 4u * G - 1u) / (4u * G);
  let rows = (dims.m + 4u * G - 1u) / (4u * G);
  let tile = wid.x + wid.y * groups.x;
  if (tile >= dims.planes * rows * columns) { return; }
  let plane = tile / (rows * columns);
  let row = ((tile / columns) % rows) * 4u * G;
  let column = (tile % columns) * 4u * G;
  let slice = lane / (G * G);
  let place = lane % (G * G);
  let across = place % G;
  let down = place / G;

  // Neighbouring invocations load neighbouring elements, whichever axis is contiguous.
  let ta = dims.ta == 1u;
  let tb = dims.tb == 1u;
  let k_a = select(across, down, ta);
  let group_a = select(down, across, ta);
  let k_b = select(down, across, tb);
  let group_b = select(across, down, tb);
  let base_a = ((plane / dims.a_div) % dims.a_mod) * dims.m * dims.k;
  let base_b = ((plane / dims.b_div) % dims.b_mod) * dims.k * dims.n;
  let from_a = offsets(row + 4u * group_a, dims.m, select(dims.k, 1u, ta), base_a);
  let from_b = offsets(column + 4u * group_b, dims.n, select(1u, dims.k, tb), base_b);
  let step_a = select(1u, dims.m, ta);
  let step_b = select(dims.n, 1u, tb);
  let own = slice * G * PITCH;

  var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
  for (var first = 0u; first < dims.k; first += G * SLICES) {
    let at_a = first + slice * G + k_a;
    let at_b = first + slice * G + k_b;
    let i = from_a + min(at_a, dims.k - 1u) * step_a;
    let j = from_b + min(at_b, dims.k - 1u) * step_b;
    panel_a[own + k_a * PITCH + group_a] =
      select(vec4<f32>(), vec4<f32>(a[i.x], a[i.y], a[i.z], a[i.w]), at_a < dims.k);
    panel_b[own + k_b * PITCH + group_b] =
      select(vec4<f32>(), vec4<f32>(b[j.x], b[j.y], b[j.z], b[j.w]), at_b < dims.k);
    workgroupBarrier();
    for (var k = 0u; k < G; k++) {
      let x = panel_a[own + k * PITCH + down];
      let y = panel_b[own + k * PITCH + across];
      c0 += x.x * y;
      c1 += x.y * y;
      c2 += x.z * y;
      c3 += x.w * y;
    }
    workgroupBarrier();
  }

  for (var r = 0u; r < 4u; r++) {
    var v = select(select(c0, c1, r == 1u), select(c2, c3, r == 3u), r > 1u);
    if (SLICES > 1u) {
      panel_a[lane] = v;
      workgroupBarrier();
      if (slice == 0u) {
        for (var s = 1u; s < SLICES; s++) { v += panel_a[s * G * G + place]; }
      }
      workgroupBarrier();
    }
    let at_row = row + 4u * down + r;
    if (slice == 0u && at_row < dims.m) {
      for (var j = 0u; j < 4u; j++) {
        let at_column = column + 4u * across + j;
        if (at_column < dims.n) { store((plane * dims.m + at_row) * dims.n + at_column, v[j]); }
      }
    }
  }
}
