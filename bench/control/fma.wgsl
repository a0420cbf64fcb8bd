// Multiply-adds on registers alone: each thread keeps eight independent chains, so that none waits for the last.
// Chain r goes to s / (1 - m) = 2 s for m = 1/2, which is how the result is checked.
@group(0) @binding(0) var<storage, read_write> values: array<f32>;
const ROUNDS = 1024u;
@compute @workgroup_size(64, 1)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let s = values[2u * id.x];
  let m = values[2u * id.x + 1u];
  var a = s;
  var b = s + 1.0;
  var c = s + 2.0;
  var d = s + 3.0;
  var e = s + 4.0;
  var f = s + 5.0;
  var g = s + 6.0;
  var h = s + 7.0;
  for (var r = 0u; r < ROUNDS; r++) {
    a = fma(a, m, s);
    b = fma(b, m, s);
    c = fma(c, m, s);
    d = fma(d, m, s);
    e = fma(e, m, s);
    f = fma(f, m, s);
    g = fma(g, m, s);
    h = fma(h, m, s);
  }
  // Half of the mean of eight chains at 2 s: s again, so that dispatches may follow each other.
  values[2u * id.x] = (a + b + c + d + e + f + g + h) * 0.0625;
}
