// y[m, s, b, o] = sum over h of max(0, start[m, b, h] + node[m, s] along[m, b, h]) w[h, o], for all nodes s of a path at once.
//
// Between the nodes where it switches a rectifier is a straight line, and on a straight path it switches once at most. So with the
// nodes in order, the sums of start w and of along w over those that are on change by one unit at a time: a unit costs two
// multiply-adds for each output, not one for each output and node. Units that are on from some node to the last come in when that
// is reached; those that are on from the first node to some other do in a second sweep, back from the last node and the last unit.
// An invocation makes one sweep: out [2, M, S, B, O] holds the two parts of y.
//
// keys[m, b, h]: see ramp_keys.wgsl.
const LANES = 64u; // tune
// An invocation has so many times four outputs.
const FOURS = 1u; // tune
struct Dims {
  paths: u32, examples: u32, steps: u32, units: u32, outputs: u32,
  own: u32, // examples that have nodes of their own: 1 for all, or each
  w_unit: u32, w_output: u32, // strides of the weights
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> start: array<f32>;
@group(0) @binding(2) var<storage, read> along: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> keys: array<f32>;
// Units in ascending order of their keys, nodes in ascending order.
@group(0) @binding(5) var<storage, read> order: array<i32>;
@group(0) @binding(6) var<storage, read> nodes: array<f32>;
@group(0) @binding(7) var<storage, read> sorted: array<i32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;

fn four(i: vec4<u32>) -> vec4<f32> { return vec4<f32>(w[i.x], w[i.y], w[i.z], w[i.w]); }
fn put(at: u32, count: u32, v: vec4<f32>) {
  if (count > 0u) { out[at] = v.x; }
  if (count > 1u) { out[at + 1u] = v.y; }
  if (count > 2u) { out[at + 2u] = v.z; }
  if (count > 3u) { out[at + 3u] = v.w; }
}

@compute @workgroup_size(LANES, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tiles = (dims.outputs + 4u * FOURS - 1u) / (4u * FOURS);
  let i = (wid.x + wid.y * groups.x) * LANES + lane;
  let path = i / tiles / 2u;
  if (path >= dims.paths) { return; }
  let sweep = i / tiles - 2u * path;
  let output = i % tiles * 4u * FOURS;
  let baseline = path / dims.examples;
  let columns = output + vec4<u32>(0u, 1u, 2u, 3u);
  let last = vec4<u32>(dims.outputs - 1u);
  let w0 = min(columns, last) * dims.w_output;
  let w1 = min(columns + 4u, last) * dims.w_output;
  let count = dims.outputs - output;
  let base = path * dims.units;
  let own_set = min(path - baseline * dims.examples, dims.own - 1u);
  let sorted_at = (baseline * dims.own + own_set) * dims.steps;

  // Of the first node: rows are [sweep, baseline, node, example].
  let first = (sweep * dims.paths + baseline * dims.examples) * dims.steps + path - baseline * dims.examples;

  let back = sweep == 1u;
  var at = 0u;
  var a0 = vec4<f32>(); var a1 = vec4<f32>();
  var t0 = vec4<f32>(); var t1 = vec4<f32>();
  for (var row = 0u; row < dims.steps; row++) {
    while (at < dims.units) {
      let unit = u32(order[base + select(at, dims.units - 1u - at, back)]);
      let u = base + unit;
      let key = keys[u];
      if (select(key, f32(2u * dims.steps - 1u) - key, back) > f32(row)) { break; }
      let begin = start[u];
      let tangent = along[u];
      let x = four(w0 + unit * dims.w_unit);
      a0 += begin * x;
      t0 += tangent * x;
      if (FOURS > 1u) {
        let y = four(w1 + unit * dims.w_unit);
        a1 += begin * y;
        t1 += tangent * y;
      }
      at++;
    }
    let s = u32(sorted[sorted_at + select(row, dims.steps - 1u - row, back)]);
    let node = nodes[(baseline * dims.steps + s) * dims.own + own_set];
    let result = (first + s * dims.examples) * dims.outputs + output;
    put(result, count, a0 + node * t0);
    if (FOURS > 1u && count > 4u) { put(result + 4u, count - 4u, a1 + node * t1); }
  }
}
