// Gradient of a convolution in its weights: out[o, c, t] = sum over n, y of ct[n, o, y] x[n, c, y stride - pad + t dilation].
// An invocation computes TM output channels x 4 input channels x TAPS taps of a row, and takes two neighbouring outputs at a
// time: they meet the taps in TAPS + 1 columns of x, each loaded once. As in conv_slide.wgsl, neighbours are `phases` apart
// and taps `skip` apart, so that both move by `reach` in the input; uniforms as there, with k for the input channels.
const TM = 8u; // tune
const TAPS = 3u; // tune
const LANES = 64u; // tune
struct Axis {
  extent: u32, outputs: u32, kernel: u32, stride: u32, dilation: u32,
  offset: i32,
  phases: u32, skip: u32, pace: u32, reach: u32,
  runs: u32, // pairs of columns in a phase
  classes: u32,
}
struct Dims {
  y: Axis, x: Axis,
  planes: u32, images: u32, groups: u32, m: u32, k: u32,
  in_planes: u32, in_repeat: u32, ct_planes: u32, ct_repeat: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> ct: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// Partial sums of so many pairs of outputs are taken apart, which keeps the rounding errors of a long sum small.
const BLOCK = 128u;

// Four channels at one position; zero outside.
fn inputs(at: vec4<u32>, column: u32) -> vec4<f32> {
  let inside = column < dims.x.extent;
  let i = at + select(0u, column, inside);
  return select(vec4<f32>(), vec4(x[i.x], x[i.y], x[i.z], x[i.w]), inside);
}
fn cotangents(i: vec4<u32>, inside: bool) -> vec4<f32> {
  return select(vec4<f32>(), vec4(ct[i.x], ct[i.y], ct[i.z], ct[i.w]), inside);
}
fn two(row: vec4<u32>, column: u32) -> mat2x4<f32> {
  let next = column + dims.x.phases;
  return mat2x4<f32>(
    cotangents(row + column, column < dims.x.outputs),
    cotangents(row + next, next < dims.x.outputs),
  );
}
fn more(row: vec4<u32>, column: u32) -> mat2x4<f32> {
  if (TM == 4u) { return mat2x4<f32>(); }
  return two(row, column);
}
// Adds input channels by output channels at one tap. Without a second output its column must not show infinities.
// By columns, see wgsl/matmul_quads.wgsl.
fn tap(c: mat4x4<f32>, y: mat2x4<f32>, a: vec4<f32>, b: vec4<f32>, both: bool) -> mat4x4<f32> {
  let x = transpose(mat2x4<f32>(a, select(vec4<f32>(), b, both)));
  return mat4x4<f32>(c[0] + y * x[0], c[1] + y * x[1], c[2] + y * x[2], c[3] + y * x[3]);
}

// First and last + 1 of the outputs whose tap at input position o stride + shift lies inside [0, extent).
fn valid(shift: i32, a: Axis) -> vec2<u32> {
  let low = (u32(max(0, -shift)) + a.stride - 1u) / a.stride;
  let room = u32(max(0, i32(a.extent) - shift));
  return vec2(low, min(a.outputs, (room + a.stride - 1u) / a.stride));
}

@compute @workgroup_size(LANES, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let k_tiles = (dims.k + 3u) / 4u;
  let m_tiles = (dims.m + TM - 1u) / TM;
  // Classes of taps times groups of TAPS of one class.
  let turns = dims.x.classes * ((dims.x.kernel - 1u) / (dims.x.skip * TAPS) + 1u);
  var rest = (wid.x + wid.y * groups.x) * LANES + lane;
  let k0 = rest % k_tiles * 4u; rest /= k_tiles;
  let m0 = rest % m_tiles * TM; rest /= m_tiles;
  let turn = rest % turns; rest /= turns;
  let ty = rest % dims.y.kernel; rest /= dims.y.kernel;
  let group = rest % dims.groups;
  let plane = rest / dims.groups;
  if (plane >= dims.planes) { return; }

  let residue = turn % dims.x.classes;
  let done = turn / dims.x.classes * TAPS;
  let first = residue + done * dims.x.skip;
  let x0 = u32(dims.x.offset) + first * dims.x.dilation;
  let shift = i32(ty * dims.y.dilation) + dims.y.offset;
  let rows = valid(shift, dims.y);
  let in_size = dims.y.extent * dims.x.extent;
  let out_size = dims.y.outputs * dims.x.outputs;
  let quad = vec4(0u, 1u, 2u, 3u);
  let in_image = ((plane / dims.in_repeat) % dims.in_planes * dims.images * dims.groups + group) * dims.k;
  let ct_image = ((plane / dims.ct_repeat) % dims.ct_planes * dims.images * dims.groups + group) * dims.m;
  let in_at = (in_image + min(k0 + quad, vec4(dims.k - 1u))) * in_size;
  let low_at = (ct_image + min(m0 + quad, vec4(dims.m - 1u))) * out_size;
  let high_at = (ct_image + min(m0 + 4u + quad, vec4(dims.m - 1u))) * out_size;

  // By tap: columns are input channels, rows are output channels.
  var s0 = mat4x4<f32>(); var s1 = mat4x4<f32>(); var s2 = mat4x4<f32>(); var s3 = mat4x4<f32>(); var s4 = mat4x4<f32>();
  var t0 = mat4x4<f32>(); var t1 = mat4x4<f32>(); var t2 = mat4x4<f32>(); var t3 = mat4x4<f32>(); var t4 = mat4x4<f32>();
  var n = 0u;
  var y = rows.x;
  var phase = 0u;
  var q = 0u;
  let pairs = select(0u, dims.images * (rows.y - rows.x) * dims.x.phases * dims.x.runs, rows.y > rows.x);
  for (var block = 0u; block < pairs; block += BLOCK) {
    var a0 = mat4x4<f32>(); var a1 = mat4x4<f32>(); var a2 = mat4x4<f32>(); var a3 = mat4x4<f32>(); var a4 = mat4x4<f32>();
    var b0 = mat4x4<f32>(); var b1 = mat4x4<f32>(); var b2 = mat4x4<f32>(); var b3 = mat4x4<f32>(); var b4 = mat4x4<f32>();
    // One loop over images, rows and columns: each level of loops would copy all accumulators.
    for (var i = min(BLOCK, pairs - block); i > 0u; i--) {
      let row = in_at + n * dims.groups * dims.k * in_size + u32(i32(y * dims.y.stride) + shift) * dims.x.extent;
      let out_x = q * dims.x.phases + phase;
      // A phase may have a pair less than the first: no column is inside then.
      let column = select(dims.x.extent, x0 + phase * dims.x.stride + q * dims.x.reach, out_x < dims.x.outputs);
      let both = out_x + dims.x.phases < dims.x.outputs;
      let at = n * dims.groups * dims.m * out_size + y * dims.x.outputs;
      let p = two(low_at + at, out_x);
      let r = more(high_at + at, out_x);
      let x_0 = inputs(row, column);
      let x_1 = inputs(row, column + dims.x.reach);
      a0 = tap(a0, p, x_0, x_1, both);
      if (TM > 4u) { b0 = tap(b0, r, x_0, x_1, both); }
      if (TAPS > 1u) {
        let x_2 = inputs(row, column + 2u * dims.x.reach);
        a1 = tap(a1, p, x_1, x_2, both);
        if (TM > 4u) { b1 = tap(b1, r, x_1, x_2, both); }
        if (TAPS > 2u) {
          let x_3 = inputs(row, column + 3u * dims.x.reach);
          a2 = tap(a2, p, x_2, x_3, both);
          if (TM > 4u) { b2 = tap(b2, r, x_2, x_3, both); }
          if (TAPS > 3u) {
            let x_4 = inputs(row, column + 4u * dims.x.reach);
            a3 = tap(a3, p, x_3, x_4, both);
            if (TM > 4u) { b3 = tap(b3, r, x_3, x_4, both); }
            if (TAPS > 4u) {
              let x_5 = inputs(row, column + 5u * dims.x.reach);
              a4 = tap(a4, p, x_4, x_5, both);
              if (TM > 4u) { b4 = tap(b4, r, x_4, x_5, both); }
            }
          }
        }
      }
      q += 2u;
      let next_phase = q >= 2u * dims.x.runs;
      q = select(q, 0u, next_phase);
      phase += u32(next_phase);
      let next_row = phase == dims.x.phases;
      phase = select(phase, 0u, next_row);
      y += u32(next_row);
      let next_image = y == rows.y;
      y = select(y, rows.x, next_image);
      n += u32(next_image);
    }
    s0 += a0; t0 += b0;
    if (TAPS > 1u) { s1 += a1; t1 += b1; }
    if (TAPS > 2u) { s2 += a2; t2 += b2; }
    if (TAPS > 3u) { s3 += a3; t3 += b3; }
    if (TAPS > 4u) { s4 += a4; t4 += b4; }
  }

  var tile = array<mat4x4<f32>, 10>(s0, t0, s1, t1, s2, t2, s3, t3, s4, t4);
  let kernel = dims.y.kernel * dims.x.kernel;
  let channel = (plane * dims.groups + group) * dims.m;
  for (var u = 0u; u < TAPS; u++) {
    let tx = first + u * dims.x.skip;
    if (tx >= dims.x.kernel) { break; }
    for (var r = 0u; r < min(TM, dims.m - m0); r += 4u) {
      for (var j = 0u; j < min(4u, dims.k - k0); j++) {
        let v = tile[2u * u + r / 4u][j];
        let o = m0 + r;
        let at = ((channel + o) * dims.k + k0 + j) * kernel + ty * dims.x.kernel + tx;
        store(at, v.x);
        if (o + 1u < dims.m) { store(at + dims.k * kernel, v.y); }
        if (o + 2u < dims.m) { store(at + 2u * dims.k * kernel, v.z); }
        if (o + 3u < dims.m) { store(at + 3u * dims.k * kernel, v.w); }
      }
    }
  }
}
