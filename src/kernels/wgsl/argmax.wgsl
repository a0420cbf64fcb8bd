// y[outer, inner] = first r with the largest x[outer, r, inner]. One invocation per output.
struct Dims {
  outputs: u32,
  length: u32,
  inner: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

fn load_x(i: u32) -> f32 { return x[i]; } // fuse
fn store(i: u32, v: i32) { out[i] = v; } // fuse

@compute @workgroup_size(64, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (wid.x + wid.y * groups.x) * 64u + lane;
  if (o >= dims.outputs) { return; }
  var i = (o / dims.inner) * dims.length * dims.inner + o % dims.inner;
  var best = load_x(i);
  var position = 0u;
  for (var r = 1u; r < dims.length; r++) {
    i += dims.inner;
    let v = load_x(i);
    if (v > best) {
      best = v;
      position = r;
    }
  }
  store(o, i32(position));
}
