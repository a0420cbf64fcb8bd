// conv_dense.wgsl with whole rows of taps as the innermost turns, for depthwise convolutions, for few input channels, and
// wherever neighbouring taps share the columns they read. An invocation computes TM output channels x 8 columns.
// Output channels of one invocation: 8, 4 or 1.
const TM = 1u; // tune
// Most taps in a row of any phase; 7 at most.
const TAPS = 1u; // tune
// 1 where the outputs of a row, and its taps, are adjacent in the input (stride and dilation 1): its columns are then
// loaded once and slide past the taps.
const SLIDING = 0u; // tune
struct Dims {
  images: u32, groups: u32, m: u32, k: u32,
  in_h: u32, in_w: u32, out_h: u32, out_w: u32,
  kernel_h: u32, kernel_w: u32,
  phases_y: u32, phases_x: u32,
  rows: u32, m_tiles: u32, x_tiles: u32,
  move_y: u32, move_x: u32,         // input positions per output position of a phase
  tap_y: u32, tap_x: u32,           // taps skipped between two of one phase
  step_y: u32, step_x: u32,         // input positions between two taps of one phase
  offset_y: i32, offset_x: i32,     // -pad forward, +pad backward
  dilation_y: u32, dilation_x: u32,
  backward: u32,
  w_group: u32, w_m: u32, w_k: u32, // strides of the weights
  in_planes: u32, in_repeat: u32, w_planes: u32, w_repeat: u32,
  invocations: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn store(i: u32, v: f32) { out[i] = v; } // fuse

// The taps of one phase along one axis, in order of ascending input position.
struct Taps { first: i32, step: i32, count: i32, base: i32 }

fn taps(phase: u32, phases: u32, offset: i32, dilation: u32, skip: u32, step: u32, kernel: u32) -> Taps {
  var first = 0;
  while (first < i32(skip) && (i32(phase) + offset - first * i32(dilation)) % i32(phases) != 0) { first++; }
  var count = 0;
  if (first < i32(skip) && first < i32(kernel)) { count = (i32(kernel) - first + i32(skip) - 1) / i32(skip); }
  let base = (i32(phase) + offset - first * i32(dilation)) / i32(phases);
  if (dims.backward == 0u || count == 0) { return Taps(first, i32(skip), count, base); }
  let last = count - 1;
  return Taps(first + last * i32(skip), -i32(skip), count, base - last * i32(step));
}

// Four elements of one row of x; zero where the mask is false.
fn four(base: u32, at: vec4<u32>, mask: vec4<bool>) -> vec4<f32> {
  return select(vec4<f32>(), vec4(x[base + at.x], x[base + at.y], x[base + at.z], x[base + at.w]), mask);
}

fn columns(base: u32, at: vec4<u32>, width: u32) -> vec4<f32> {
  let mask = at < vec4(width);
  return four(base, select(vec4<u32>(), at, mask), mask);
}

// First and last + 1 of the taps whose input row lies inside [0, extent).
fn valid(start: i32, step: u32, extent: u32, count: i32) -> vec2<i32> {
  let s = i32(step);
  return vec2((max(0, -start) + s - 1) / s, min(count, (max(0, i32(extent) - start) + s - 1) / s));
}

@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = (wid.x + wid.y * groups.x) * 64u + lane;
  if (id >= dims.invocations) { return; }
  var rest = id;
  let q_x = (rest % dims.x_tiles) * 8u; rest /= dims.x_tiles;
  let q_y = rest % dims.rows; rest /= dims.rows;
  let phase_x = rest % dims.phases_x; rest /= dims.phases_x;
  let phase_y = rest % dims.phases_y; rest /= dims.phases_y;
  let m0 = (rest % dims.m_tiles) * TM; rest /= dims.m_tiles;
  let group = rest % dims.groups; rest /= dims.groups;
  let image = rest % dims.images;
  let plane = rest / dims.images;

  let out_y = q_y * dims.phases_y + phase_y;
  if (out_y >= dims.out_h || q_x * dims.phases_x + phase_x >= dims.out_w) { return; }

  let ty = taps(phase_y, dims.phases_y, dims.offset_y, dims.dilation_y, dims.tap_y, dims.step_y, dims.kernel_h);
  let tx = taps(phase_x, dims.phases_x, dims.offset_x, dims.dilation_x, dims.tap_x, dims.step_x, dims.kernel_w);
  let y0 = i32(q_y * dims.move_y) + ty.base;
  let x0 = q_x * dims.move_x + u32(tx.base);
  let rows = valid(y0, dims.step_y, dims.in_h, select(0, ty.count, tx.count > 0));
  let in_size = dims.in_h * dims.in_w;
  let width = dims.in_w;
  let w_step = u32(tx.step);
  let step_x = dims.step_x;
  // Columns left of 0 wrap to huge numbers: one comparison finds both sides.
  let c0 = vec4(0u, 1u, 2u, 3u) * dims.move_x + x0;
  let c4 = c0 + 4u * dims.move_x;
  let m0_3 = c0 < vec4(width);
  let m4_7 = c4 < vec4(width);
  let m8_11 = c0 + 8u < vec4(width);
  let m12_15 = c0 + 12u < vec4(width);
  let i0_3 = select(vec4<u32>(), c0, m0_3);
  let i4_7 = select(vec4<u32>(), c4, m4_7);
  let i8_11 = select(vec4<u32>(), c0 + 8u, m8_11);
  let i12_15 = select(vec4<u32>(), c0 + 12u, m12_15);

  let in_plane = (plane / dims.in_repeat) % dims.in_planes;
  var image_at = ((in_plane * dims.images + image) * dims.groups + group) * dims.k * dims.in_h * dims.in_w;
  var w_at = ((plane / dims.w_repeat) % dims.w_planes * dims.groups + group) * dims.w_group;
  let top = dims.m - 1u;
  let o0 = m0 * dims.w_m;
  let o1 = min(m0 + 1u, top) * dims.w_m;
  let o2 = min(m0 + 2u, top) * dims.w_m;
  let o3 = min(m0 + 3u, top) * dims.w_m;
  let o4 = min(m0 + 4u, top) * dims.w_m;
  let o5 = min(m0 + 5u, top) * dims.w_m;
  let o6 = min(m0 + 6u, top) * dims.w_m;
  let o7 = min(m0 + 7u, top) * dims.w_m;

  // Totals over channels; the taps of each channel are summed apart, which keeps rounding errors small.
  var s0 = vec4<f32>(); var t0 = vec4<f32>();
  var s1 = vec4<f32>(); var t1 = vec4<f32>();
  var s2 = vec4<f32>(); var t2 = vec4<f32>();
  var s3 = vec4<f32>(); var t3 = vec4<f32>();
  var s4 = vec4<f32>(); var t4 = vec4<f32>();
  var s5 = vec4<f32>(); var t5 = vec4<f32>();
  var s6 = vec4<f32>(); var t6 = vec4<f32>();
  var s7 = vec4<f32>(); var t7 = vec4<f32>();
  for (var k = 0u; k < dims.k; k++) {
    var a0 = vec4<f32>(); var b0 = vec4<f32>();
    var a1 = vec4<f32>(); var b1 = vec4<f32>();
    var a2 = vec4<f32>(); var b2 = vec4<f32>();
    var a3 = vec4<f32>(); var b3 = vec4<f32>();
    var a4 = vec4<f32>(); var b4 = vec4<f32>();
    var a5 = vec4<f32>(); var b5 = vec4<f32>();
    var a6 = vec4<f32>(); var b6 = vec4<f32>();
    var a7 = vec4<f32>(); var b7 = vec4<f32>();
    for (var i = rows.x; i < rows.y; i++) {
      let row = image_at + u32(y0 + i * i32(dims.step_y)) * width;
      var wi = w_at + u32((ty.first + i * ty.step) * i32(dims.kernel_w) + tx.first);
      var p = four(row, i0_3, m0_3);
      var q = four(row, i4_7, m4_7);
      // No more columns than there are taps: every load counts.
      var r = vec4<f32>();
      var s = vec4<f32>();
      if (SLIDING == 1u) {
        if (TAPS > 1u) { r.x = select(0.0, x[row + i8_11.x], m8_11.x); }
        if (TAPS > 2u) { r.y = select(0.0, x[row + i8_11.y], m8_11.y); }
        if (TAPS > 3u) { r.z = select(0.0, x[row + i8_11.z], m8_11.z); }
        if (TAPS > 4u) { r.w = select(0.0, x[row + i8_11.w], m8_11.w); }
        if (TAPS > 5u) { s.x = select(0.0, x[row + i12_15.x], m12_15.x); }
        if (TAPS > 6u) { s.y = select(0.0, x[row + i12_15.y], m12_15.y); }
      }
      {
        let w0 = w[wi + o0]; a0 += w0 * p; b0 += w0 * q;
        if (TM > 1u) {
          let w1 = w[wi + o1]; a1 += w1 * p; b1 += w1 * q;
          let w2 = w[wi + o2]; a2 += w2 * p; b2 += w2 * q;
          let w3 = w[wi + o3]; a3 += w3 * p; b3 += w3 * q;
        }
        if (TM > 4u) {
          let w4 = w[wi + o4]; a4 += w4 * p; b4 += w4 * q;
          let w5 = w[wi + o5]; a5 += w5 * p; b5 += w5 * q;
          let w6 = w[wi + o6]; a6 += w6 * p; b6 += w6 * q;
          let w7 = w[wi + o7]; a7 += w7 * p; b7 += w7 * q;
        }
      }
      if (TAPS > 1u) {
        wi += w_step;
        if (SLIDING == 1u) {
          p = vec4(p.yzw, q.x); q = vec4(q.yzw, r.x); r = vec4(r.yzw, s.x); s = vec4(s.yzw, 0.0);
        } else {
          let limit = select(0u, width, tx.count > 1);
          p = columns(row, c0 + 1u * step_x, limit); q = columns(row, c4 + 1u * step_x, limit);
        }
        let w0 = w[wi + o0]; a0 += w0 * p; b0 += w0 * q;
        if (TM > 1u) {
          let w1 = w[wi + o1]; a1 += w1 * p; b1 += w1 * q;
          let w2 = w[wi + o2]; a2 += w2 * p; b2 += w2 * q;
          let w3 = w[wi + o3]; a3 += w3 * p; b3 += w3 * q;
        }
        if (TM > 4u) {
          let w4 = w[wi + o4]; a4 += w4 * p; b4 += w4 * q;
          let w5 = w[wi + o5]; a5 += w5 * p; b5 += w5 * q;
          let w6 = w[wi + o6]; a6 += w6 * p; b6 += w6 * q;
          let w7 = w[wi + o7]; a7 += w7 * p; b7 += w7 * q;
        }
      }
      if (TAPS > 2u) {
        wi += w_step;
        if (SLIDING == 1u) {
          p = vec4(p.yzw, q.x); q = vec4(q.yzw, r.x); r = vec4(r.yzw, s.x); s = vec4(s.yzw, 0.0);
        } else {
          let limit = select(0u, width, tx.count > 2);
          p = columns(row, c0 + 2u * step_x, limit); q = columns(row, c4 + 2u * step_x, limit);
        }
        let w0 = w[wi + o0]; a0 += w0 * p; b0 += w0 * q;
        if (TM > 1u) {
          let w1 = w[wi + o1]; a1 += w1 * p; b1 += w1 * q;
          let w2 = w[wi + o2]; a2 += w2 * p; b2 += w2 * q;
          let w3 = w[wi + o3]; a3 += w3 * p; b3 += w3 * q;
        }
        if (TM > 4u) {
          let w4 = w[wi + o4]; a4 += w4 * p; b4 += w4 * q;
          let w5 = w[wi + o5]; a5 += w5 * p; b5 += w5 * q;
          let w6 = w[wi + o6]; a6 += w6 * p; b6 += w6 * q;
          let w7 = w[wi + o7]; a7 += w7 * p; b7 += w7 * q;
        }
      }
      if (TAPS > 3u) {
        wi += w_step;
        if (SLIDING == 1u) {
          p = vec4(p.yzw, q.x); q = vec4(q.yzw, r.x); r = vec4(r.yzw, s.x); s = vec4(s.yzw, 0.0);
        } else {
          let limit = select(0u, width, tx.count > 3);
          p = columns(row, c0 + 3u * step_x, limit); q = columns(row, c4 + 3u * step_x, limit);
        }
        let w0 = w[wi + o0]; a0 += w0 * p; b0 += w0 * q;
        if (TM > 1u) {
          let w1 = w[wi + o1]; a1 += w1 * p; b1 += w1 * q;
          let w2 = w[wi + o2]; a2 += w2 * p; b2 += w2 * q;
          let w3 = w[wi + o3]; a3 += w3 * p; b3 += w3 * q;
        }
        if (TM > 4u) {
          let w4 = w[wi + o4]; a4 += w4 * p; b4 += w4 * q;
          let w5 = w[wi + o5]; a5 += w5 * p; b5 += w5 * q;
          let w6 = w[wi + o6]; a6 += w6 * p; b6 += w6 * q;
          let w7 = w[wi + o7]; a7 += w7 * p; b7 += w7 * q;
        }
      }
      if (TAPS > 4u) {
        wi += w_step;
        if (SLIDING == 1u) {
          p = vec4(p.yzw, q.x); q = vec4(q.yzw, r.x); r = vec4(r.yzw, s.x); s = vec4(s.yzw, 0.0);
        } else {
          let limit = select(0u, width, tx.count > 4);
          p = columns(row, c0 + 4u * step_x, limit); q = columns(row, c4 + 4u * step_x, limit);
        }
        let w0 = w[wi + o0]; a0 += w0 * p; b0 += w0 * q;
        if (TM > 1u) {
          let w1 = w[wi + o1]; a1 += w1 * p; b1 += w1 * q;
          let w2 = w[wi + o2]; a2 += w2 * p; b2 += w2 * q;
          let w3 = w[wi + o3]; a3 += w3 * p; b3 += w3 * q;
        }
        if (TM > 4u) {
          let w4 = w[wi + o4]; a4 += w4 * p; b4 += w4 * q;
          let w5 = w[wi + o5]; a5 += w5 * p; b5 += w5 * q;
          let w6 = w[wi + o6]; a6 += w6 * p; b6 += w6 * q;
          let w7 = w[wi + o7]; a7 += w7 * p; b7 += w7 * q;
        }
      }
      if (TAPS > 5u) {
        wi += w_step;
        if (SLIDING == 1u) {
          p = vec4(p.yzw, q.x); q = vec4(q.yzw, r.x); r = vec4(r.yzw, s.x); s = vec4(s.yzw, 0.0);
        } else {
          let limit = select(0u, width, tx.count > 5);
          p = columns(row, c0 + 5u * step_x, limit); q = columns(row, c4 + 5u * step_x, limit);
        }
        let w0 = w[wi + o0]; a0 += w0 * p; b0 += w0 * q;
        if (TM > 1u) {
          let w1 = w[wi + o1]; a1 += w1 * p; b1 += w1 * q;
          let w2 = w[wi + o2]; a2 += w2 * p; b2 += w2 * q;
          let w3 = w[wi + o3]; a3 += w3 * p; b3 += w3 * q;
        }
        if (TM > 4u) {
          let w4 = w[wi + o4]; a4 += w4 * p; b4 += w4 * q;
          let w5 = w[wi + o5]; a5 += w5 * p; b5 += w5 * q;
          let w6 = w[wi + o6]; a6 += w6 * p; b6 += w6 * q;
          let w7 = w[wi + o7]; a7 += w7 * p; b7 += w7 * q;
        }
      }
      if (TAPS > 6u) {
        wi += w_step;
        if (SLIDING == 1u) {
          p = vec4(p.yzw, q.x); q = vec4(q.yzw, r.x); r = vec4(r.yzw, s.x); s = vec4(s.yzw, 0.0);
        } else {
          let limit = select(0u, width, tx.count > 6);
          p = columns(row, c0 + 6u * step_x, limit); q = columns(row, c4 + 6u * step_x, limit);
        }
        let w0 = w[wi + o0]; a0 += w0 * p; b0 += w0 * q;
        if (TM > 1u) {
          let w1 = w[wi + o1]; a1 += w1 * p; b1 += w1 * q;
          let w2 = w[wi + o2]; a2 += w2 * p; b2 += w2 * q;
          let w3 = w[wi + o3]; a3 += w3 * p; b3 += w3 * q;
        }
        if (TM > 4u) {
          let w4 = w[wi + o4]; a4 += w4 * p; b4 += w4 * q;
          let w5 = w[wi + o5]; a5 += w5 * p; b5 += w5 * q;
          let w6 = w[wi + o6]; a6 += w6 * p; b6 += w6 * q;
          let w7 = w[wi + o7]; a7 += w7 * p; b7 += w7 * q;
        }
      }
    }
    s0 += a0; t0 += b0;
    if (TM > 1u) { s1 += a1; t1 += b1; s2 += a2; t2 += b2; s3 += a3; t3 += b3; }
    if (TM > 4u) { s4 += a4; t4 += b4; s5 += a5; t5 += b5; s6 += a6; t6 += b6; s7 += a7; t7 += b7; }
    image_at += in_size;
    w_at += dims.w_k;
  }

  // One place that stores, so that a fused epilogue appears once in the code.
  var tile = array<vec4<f32>, 16>(s0, t0, s1, t1, s2, t2, s3, t3, s4, t4, s5, t5, s6, t6, s7, t7);
  let channel = ((plane * dims.images + image) * dims.groups + group) * dims.m + m0;
  for (var r = 0u; r < min(TM, dims.m - m0); r++) {
    let at = ((channel + r) * dims.out_h + out_y) * dims.out_w;
    for (var j = 0u; j < 8u; j++) {
      let out_x = (q_x + j) * dims.phases_x + phase_x;
      if (out_x >= dims.out_w) { break; }
      store(at + out_x, tile[2u * r + j / 4u][j % 4u]);
    }
  }
}
