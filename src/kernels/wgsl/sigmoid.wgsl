// 1 / (1 + exp(-x)), from exp(-|x|): no overflow, and full relative accuracy in the lower tail.
fn safe_sigmoid(x: f32) -> f32 {
  let e = exp(-min(abs(x), 200.0));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}
