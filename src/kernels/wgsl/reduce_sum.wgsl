// y[outer, inner] = sum over r of x[outer, r, inner]. One invocation per output. Three levels (16 x 4 accumulators, 64
// blocks, the rest) keep the rounding error near that of pairwise summation.
struct Dims {
  outputs: u32,
  length: u32,
  inner: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn load_x(i: u32) -> f32 { return x[i]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

fn block(first: u32, last: u32, base: u32) -> f32 {
  var a = vec4<f32>(0.0);
  var r = first;
  var i = base + r * dims.inner;
  for (; r + 4u <= last; r += 4u) {
    a += vec4<f32>(load_x(i), load_x(i + dims.inner), load_x(i + 2u * dims.inner), load_x(i + 3u * dims.inner));
    i += 4u * dims.inner;
  }
  for (; r < last; r++) {
    a.x += load_x(i);
    i += dims.inner;
  }
  return (a.x + a.y) + (a.z + a.w);
}

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (wid.x + wid.y * groups.x) * 64u + lane;
  if (o >= dims.outputs) { return; }
  let base = (o / dims.inner) * dims.length * dims.inner + o % dims.inner;
  var total = 0.0;
  for (var outer = 0u; outer < dims.length; outer += 4096u) {
    let end = min(outer + 4096u, dims.length);
    var part = 0.0;
    for (var first = outer; first < end; first += 64u) {
      part += block(first, min(first + 64u, end), base);
    }
    total += part;
  }
  store(o, total);
}
