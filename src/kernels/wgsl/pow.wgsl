// |x|^e = 2^(e log2 |x|). The product multiplies any error of the logarithm by up to 127, so it is kept in two parts: high
// parts have 12 significant bits, and their products are exact. Max relative error 5e-7 over all finite results.
fn high_bits(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

fn power_of_two(n: f32) -> f32 {
  return bitcast<f32>(u32(i32(n) + 127) << 23u);
}

// x > 0, finite.
fn positive_pow(x: f32, e: f32) -> f32 {
  var bits = bitcast<u32>(x);
  var k = 0.0;
  if (bits < 0x00800000u) {
    bits = bitcast<u32>(f32(bits));
    k = -149.0;
  }
  let exponent = bitcast<i32>(bits - 0x3f3504f3u) >> 23u;
  k += f32(exponent);
  let m = bitcast<f32>(bits - bitcast<u32>(exponent << 23u));

  // s_high + s_low = (m - 1) / (m + 1), with the remainder of the division. Everything is taken from high_bits, which
  // compilers cannot see through: m - ((m + 1) - 1) would be folded to 0.
  let p = m + 1.0;
  let s = (m - 1.0) / p;
  let s_high = high_bits(s);
  let p_high = high_bits(p);
  let s_rest = s - s_high;
  let p_rest = m - (p_high - 1.0);
  let remainder = (((m - 1.0) - s_high * p_high) - s_high * p_rest) - s_rest * p_high - s_rest * p_rest;
  let s_low = s_rest + remainder / p;

  // log2(m) = 2 / ln(2) (s + s^3 / 3 + ...) as t_high + t_low; 2 / ln(2) = 2.8857421875 - 3.5210572e-4.
  let z = s * s;
  let series = s * z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
  let t_high = 2.8857421875 * s_high;
  let t_low = 2.8857421875 * s_low + (2.8853901 * series - 3.5210572e-4 * s);

  // y + y_low = e log2(x)
  let l_high = high_bits(k + t_high);
  let l_low = ((k - l_high) + t_high) + t_low;
  let e_high = high_bits(e);
  let y = e_high * l_high;
  let y_low = e_high * l_low + (e - e_high) * (l_high + l_low);
  let n = clamp(round(y + y_low), -252.0, 254.0);
  let fraction = clamp((y - n) + y_low, -2.0, 2.0);
  // In two factors, each within the range of normal numbers.
  let half = floor(n * 0.5);
  return (exp2(fraction) * power_of_two(half)) * power_of_two(n - half);
}

// x^e as C's pow: a negative base needs a whole exponent (NaN otherwise), 0^negative = infinity.
fn safe_pow(x: f32, e: f32) -> f32 {
  // Run-time variables: a constant expression may be neither infinite nor NaN.
  var special = 0x7f800000u;
  let bits = bitcast<u32>(x) & 0x7fffffffu;
  if (e == 0.0) { return 1.0; }
  if (bits > 0x7f800000u) { return x; }
  let whole = floor(e) == e;
  let odd = whole && abs(e) < 16777216.0 && abs(floor(e * 0.5) * 2.0 - e) == 1.0;
  var y = 0.0;
  if (bits == 0u || bits == 0x7f800000u) {
    y = select(0.0, bitcast<f32>(special), (bits == 0u) == (e < 0.0));
  } else {
    y = positive_pow(abs(x), e);
  }
  if (x >= 0.0) { return y; }
  if (!whole) {
    special = 0x7fc00000u;
    return bitcast<f32>(special);
  }
  return select(y, -y, odd);
}
