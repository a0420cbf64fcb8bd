// log(1 + u) for 0 <= u <= 1, as 2 atanh(u / (2 + u)): the built-in log has no correct digits near 1.
fn log1p_unit(u: f32) -> f32 {
  let s = u / (2.0 + u);
  let z = s * s;
  let high = 1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0 + z * (1.0 / 15.0)));
  return 2.0 * s + 2.0 * s * z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * high)));
}

// log(1 + exp(beta z)) / beta, beta > 0: the kink max(z, 0) plus a smooth remainder that never overflows.
fn safe_softplus(z: f32, beta: f32) -> f32 {
  return max(z, 0.0) + log1p_unit(exp(-min(abs(beta * z), 200.0))) / beta;
}
