// exp(x) - 1: Taylor series where the difference would cancel. Max relative error 3e-7, from x = 5 on that of exp.
fn safe_expm1(x: f32) -> f32 {
  if (abs(x) > 0.5) { return exp(x) - 1.0; }
  let high = 1.0 / 120.0 + x * (1.0 / 720.0 + x * (1.0 / 5040.0 + x * (1.0 / 40320.0 + x * (1.0 / 362880.0))));
  return x + x * x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * high)));
}
