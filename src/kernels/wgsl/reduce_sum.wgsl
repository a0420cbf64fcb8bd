// y[outer, inner] = sum over r of x[outer, r, inner]. One invocation per output, or per LANES neighbouring ones; with ALONG,
// one per output that loads LANES neighbouring terms. Two levels of up to 64 terms each (longer sums are split before they
// come here) keep the rounding error near that of pairwise summation. The text loads in one place: a fused expression then
// appears once in the code.
const LANES = 1u; // tune
const ALONG = 0u; // tune
alias Lane = f32; // tune
struct Dims {
  outputs: u32,
  length: u32,
  inner: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<Lane>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn load_x(i: u32) -> Lane { return x[i / LANES]; } // fuse
fn store(i: u32, v: f32) { out[i] = v; } // fuse

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = ((wid.x + wid.y * groups.x) * 64u + lane) * select(LANES, 1u, ALONG == 1u);
  if (o >= dims.outputs) { return; }
  let step = select(dims.inner, LANES, ALONG == 1u);
  var i = (o / dims.inner) * dims.length * dims.inner + o % dims.inner;
  let end = i + dims.length * dims.inner;
  var total = Lane();
  while (i < end) {
    var terms = Lane();
    let stop = min(i + 64u * step, end);
    for (; i < stop; i += step) { terms += load_x(i); }
    total += terms;
  }
  // The conversion lets the text compile for either type.
  let v = vec4<f32>(total);
  if (ALONG == 1u) {
    store(o, (v.x + v.y) + (v.z + v.w));
    return;
  }
  store(o, v.x);
  if (LANES > 1u) {
    store(o + 1u, v.y);
    store(o + 2u, v.z);
    store(o + 3u, v.w);
  }
}
