// Natural logarithm: x = 2^k m with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m - 1) / (m + 1)). The built-in log has
// a relative error of 7e-3 near 1. log(0) = -infinity, log of a negative number or NaN = NaN (by bit pattern: compilers
// assume that comparisons never see a NaN).
fn safe_log(x: f32) -> f32 {
  // Run-time variables: a constant expression may be neither infinite nor NaN.
  var special = 0xff800000u;
  var bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) == 0u) { return bitcast<f32>(special); }
  if (bits > 0x7f800000u) {
    special = 0x7fc00000u;
    return bitcast<f32>(special);
  }
  if (bits == 0x7f800000u) { return x; }
  var k = 0.0;
  if (bits < 0x00800000u) {
    // Denormals, taken apart as integers because arithmetic may flush them.
    bits = bitcast<u32>(f32(bits));
    k = -149.0;
  }
  let exponent = bitcast<i32>(bits - 0x3f3504f3u) >> 23u;
  k += f32(exponent);
  let m = bitcast<f32>(bits - bitcast<u32>(exponent << 23u));
  let s = (m - 1.0) / (m + 1.0);
  let z = s * s;
  let r = 2.0 * s + 2.0 * s * z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
  return k * 0.693359375 + (r - k * 2.12194440e-4);
}
