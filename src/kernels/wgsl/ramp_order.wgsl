// The order of the numbers of each row, ascending; equal ones keep theirs. Every number counts those that come before it:
// quadratic, but without barriers, and rows are short. An invocation has four numbers, since loads are what it costs.
struct Dims {
  rows: u32,
  length: u32,
  apart: u32, // numbers of a row are so far apart, and as many rows lie between each other
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
// Where the first, second, ... number of a row stands.
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

@compute @workgroup_size(16, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let fours = (dims.length + 3u) / 4u;
  let i = (wid.x + wid.y * groups.x) * 16u + lane;
  let row = i / fours;
  if (row >= dims.rows) { return; }
  let base = row / dims.apart * dims.length * dims.apart + row % dims.apart;
  let own = i % fours * 4u + vec4<u32>(0u, 1u, 2u, 3u);
  let at = base + min(own, vec4<u32>(dims.length - 1u)) * dims.apart;
  let v = vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]);
  var before = vec4<u32>();
  for (var j = 0u; j < dims.length; j++) {
    let other = vec4<f32>(x[base + j * dims.apart]);
    before += vec4<u32>((other < v) | ((other == v) & (vec4<u32>(j) < own)));
  }
  for (var c = 0u; c < min(4u, dims.length - own.x); c++) { out[row * dims.length + before[c]] = i32(own[c]); }
}
