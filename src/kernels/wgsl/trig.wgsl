// Sine and cosine. x = n pi/2 + r with |r| <= pi/4: pi/2 in three parts, of which the first two have 11 bits, so that
// their products with n are exact up to |x| = 12000. Absolute error 1e-7 up to there, 1e-6 up to 1e5; beyond that the digits
// of n pi/2 run out (3e-2 at 1e6 where fma is not fused).
struct Quadrant {
  n: f32,
  r: f32,
}

fn quadrant_of(x: f32) -> Quadrant {
  let n = round(x * 0.63661977);
  let r = fma(-n, 7.5497901e-8, fma(-n, 4.837512969970703e-4, fma(-n, 1.5703125, x)));
  return Quadrant(n - 4.0 * floor(n * 0.25), clamp(r, -1.0, 1.0));
}

// sin(r + n pi/2), n in 0..3.
fn sine_of(q: Quadrant) -> f32 {
  let z = q.r * q.r;
  let s = q.r + q.r * z * (-1.0 / 6.0 + z * (1.0 / 120.0 + z * (-1.0 / 5040.0 + z * (1.0 / 362880.0))));
  let c = 1.0 + z * (-0.5 + z * (1.0 / 24.0 + z * (-1.0 / 720.0 + z * (1.0 / 40320.0 - z * (1.0 / 3628800.0)))));
  let odd = q.n == 1.0 || q.n == 3.0;
  let v = select(s, c, odd);
  return select(v, -v, q.n >= 2.0);
}

fn safe_sin(x: f32) -> f32 {
  return sine_of(quadrant_of(x));
}

fn safe_cos(x: f32) -> f32 {
  var q = quadrant_of(x);
  q.n = select(q.n + 1.0, 0.0, q.n == 3.0);
  return sine_of(q);
}
