// Convolution forward and its transpose in x, as one correlation; an invocation computes TM output channels x 8 columns.
//   forward:    out[n, m, q]           = sum over k, t of w[m, k, t] in[n, k, q stride - pad + t dilation]
//   input grad: out[n, m, phase + s q] = sum over k and the taps t of that phase of w[k, m, t] in[n, k, q + base - t']
// A phase is a residue of the output position modulo the stride s; it meets every (s / gcd(s, dilation))-th tap, and
// within it the input position advances by one per output, so that no inserted zero is ever multiplied.
// Output channels of one invocation: 8, 4 or 1.
const TM = 8u; // tune
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
  let left = vec4(0u, 1u, 2u, 3u) * dims.move_x + x0;
  let right = left + 4u * dims.move_x;
  let rows = valid(y0, dims.step_y, dims.in_h, ty.count);
  let in_size = dims.in_h * dims.in_w;
  let depth = dims.k;
  let w_k = dims.w_k;

  let in_plane = (plane / dims.in_repeat) % dims.in_planes;
  let image_at = ((in_plane * dims.images + image) * dims.groups + group) * dims.k * dims.in_h * dims.in_w;
  let w_at = ((plane / dims.w_repeat) % dims.w_planes * dims.groups + group) * dims.w_group;
  let top = dims.m - 1u;
  let o0 = m0 * dims.w_m;
  let o1 = min(m0 + 1u, top) * dims.w_m;
  let o2 = min(m0 + 2u, top) * dims.w_m;
  let o3 = min(m0 + 3u, top) * dims.w_m;
  let o4 = min(m0 + 4u, top) * dims.w_m;
  let o5 = min(m0 + 5u, top) * dims.w_m;
  let o6 = min(m0 + 6u, top) * dims.w_m;
  let o7 = min(m0 + 7u, top) * dims.w_m;

  // Totals over taps; each tap sums its channels apart, which keeps rounding errors small.
  var s0 = vec4<f32>(); var t0 = vec4<f32>();
  var s1 = vec4<f32>(); var t1 = vec4<f32>();
  var s2 = vec4<f32>(); var t2 = vec4<f32>();
  var s3 = vec4<f32>(); var t3 = vec4<f32>();
  var s4 = vec4<f32>(); var t4 = vec4<f32>();
  var s5 = vec4<f32>(); var t5 = vec4<f32>();
  var s6 = vec4<f32>(); var t6 = vec4<f32>();
  var s7 = vec4<f32>(); var t7 = vec4<f32>();
  // The channels are the innermost loop, four at a time: a software adapter pays for every accumulator at each turn of a
  // loop and runs both sides of a branch, so that few long turns without branches win.
  for (var i = rows.x; i < rows.y; i++) {
    let row = image_at + u32(y0 + i * i32(dims.step_y)) * dims.in_w;
    for (var j = 0; j < tx.count; j++) {
      let pc = left + u32(j) * dims.step_x;
      let qc = right + u32(j) * dims.step_x;
      // Columns left of 0 wrap to huge numbers: one comparison finds both sides.
      let pm = pc < vec4(dims.in_w);
      let qm = qc < vec4(dims.in_w);
      let pi = select(vec4<u32>(), pc, pm);
      let qi = select(vec4<u32>(), qc, qm);
      var xi = row;
      var wi = w_at + u32((ty.first + i * ty.step) * i32(dims.kernel_w) + tx.first + j * tx.step);
      var a0 = vec4<f32>(); var b0 = vec4<f32>();
      var a1 = vec4<f32>(); var b1 = vec4<f32>();
      var a2 = vec4<f32>(); var b2 = vec4<f32>();
      var a3 = vec4<f32>(); var b3 = vec4<f32>();
      var a4 = vec4<f32>(); var b4 = vec4<f32>();
      var a5 = vec4<f32>(); var b5 = vec4<f32>();
      var a6 = vec4<f32>(); var b6 = vec4<f32>();
      var a7 = vec4<f32>(); var b7 = vec4<f32>();
      var k = 0u;
      for (; k + 4u <= depth; k += 4u) {
        {
          let p = four(xi, pi, pm); let q = four(xi, qi, qm);
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
          xi += in_size; wi += w_k;
        }
        {
          let p = four(xi, pi, pm); let q = four(xi, qi, qm);
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
          xi += in_size; wi += w_k;
        }
        {
          let p = four(xi, pi, pm); let q = four(xi, qi, qm);
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
          xi += in_size; wi += w_k;
        }
        {
          let p = four(xi, pi, pm); let q = four(xi, qi, qm);
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
          xi += in_size; wi += w_k;
        }
      }
      for (; k < depth; k++) {
        let p = four(xi, pi, pm); let q = four(xi, qi, qm);
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
        xi += in_size; wi += w_k;
      }
      s0 += a0; t0 += b0;
      if (TM > 1u) { s1 += a1; t1 += b1; s2 += a2; t2 += b2; s3 += a3; t3 += b3; }
      if (TM > 4u) { s4 += a4; t4 += b4; s5 += a5; t5 += b5; s6 += a6; t6 += b6; s7 += a7; t7 += b7; }
    }
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
