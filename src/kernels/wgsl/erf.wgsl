// erf(x): a minimax polynomial of erf(x) / x in x^2 up to 1, then 1 - exp(-p(|x|)) with p a fit of -log(erfc).
// Max relative error 2e-7.
fn safe_erf(x: f32) -> f32 {
  let t = min(abs(x), 4.0);
  if (t <= 1.0) {
    let z = x * x;
    let high = 5.188327748e-3 + z * (-8.010193706e-4 + z * 7.853860734e-5);
    return x * (1.1283791065 + z * (-0.37612625957 + z * (0.11283585429 + z * (-2.685381100e-2 + z * high))));
  }
  let high = 0.10356689245 + t * (-2.205199935e-2 + t * (2.999541117e-3 - t * 1.915041794e-4));
  let tail = exp(-(2.564452298e-4 + t * (1.1274261475 + t * (0.63760006428 + t * high))));
  return select(1.0 - tail, tail - 1.0, x < 0.0);
}
