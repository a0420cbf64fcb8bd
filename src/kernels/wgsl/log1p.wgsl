// log(1 + x), through 2 atanh(x / (2 + x)) where adding 1 would lose the digits of x. Needs safe_log.
// Joined to log.wgsl.
fn safe_log1p(x: f32) -> f32 {
  if (x < -0.3 || x > 0.42) { return safe_log(1.0 + x); }
  let s = x / (2.0 + x);
  let z = s * s;
  return 2.0 * s + 2.0 * s * z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
}
