// Whole numbers below 2^BITS, as many to a word as it holds: element word + k words is field k of a word, so that neighbouring
// invocations load neighbouring elements. One invocation per word, or per LANES neighbouring ones.
const LANES = 1u; // tune
const BITS = 1u; // tune
alias Lane = f32; // tune
struct Dims {
  words: u32,
  count: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<Lane>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

fn load_x(i: u32) -> Lane { return x[i / LANES]; } // fuse

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = ((wid.x + wid.y * groups.x) * 64u + lane) * LANES;
  if (word >= dims.words) { return; }
  var fields = vec4<u32>();
  var shift = 0u;
  for (var i = word; i < dims.count; i += dims.words) {
    // The conversion lets the text compile for either type.
    fields |= vec4<u32>(vec4<f32>(load_x(i))) << vec4<u32>(shift);
    shift += BITS;
  }
  out[word] = fields.x;
  if (LANES > 1u) {
    out[word + 1u] = fields.y;
    out[word + 2u] = fields.z;
    out[word + 3u] = fields.w;
  }
}
