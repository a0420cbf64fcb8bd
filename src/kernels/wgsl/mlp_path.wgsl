// A path integral of gradients through a small dense network, whole: forward pass, backward pass, weighted sum over nodes of
// the path and product with x - x'. A workgroup takes a share of one path, four points at a time, and writes sums of its own.
// `act` holds, unit by unit, the values at the four points, and on the way back their cotangents in the same places. An
// invocation computes four neighbouring units of a layer for all four points, so that two loads serve 16 multiply-adds.
//
// A path is its beginning, without weight, and its nodes. Each share has the input before them: it decides the class where
// the caller names none. Layers take places for multiples of 4 units; what is in those beyond the last unit is never read.
//
// Where barriers are dear, every invocation has a share to itself (kernels/mlp-path.ts changes what differs in this text).
const LANES = 64u; // tune
// Shares of a workgroup.
const SIDE = 1u; // tune
const SIZE = LANES * SIDE;
const UNITS = 1024u; // tune
// Whether slopes are kept behind the units, because they do not follow from the activations.
const KEPT = 0u; // tune
// 1 if the score is the probability of the class, 2 if its logarithm.
const SOFTMAX = 0u; // tune
struct Dims {
  shares_of_all: u32,
  examples: u32,
  features: u32,
  classes: u32,
  steps: u32,
  // Numbers in `nodes` for each path, and for each of its nodes.
  stride: u32,
  each: u32,
  // Shares of a path, and points in each beside the input.
  shares: u32,
  share: u32,
  layers: u32,
  // How far behind its activation the slope of a unit is.
  behind: u32,
  // Numbers that a share writes.
  record: u32,
  // Of every layer: width, first unit, first weight of the next one, first weight of the same transposed.
  table: array<vec4<u32>, 9>,
}
@group(0) @binding(0) var<uniform> dims: Dims;
// Weights [inputs, units] and biases of every layer, then transposed weights, all with places for multiples of 4 columns.
@group(0) @binding(1) var<storage, read> theta: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> begin: array<f32>;
@group(0) @binding(4) var<storage, read> nodes: array<f32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;
// Classes; below 0 the one of the largest output.
@group(0) @binding(6) var<storage, read> chosen: array<f32>;
// Of every share: sums, and for each output its values at the first two points: the input, and in the first share of a path
// the beginning.
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

fn load_begin(i: u32) -> f32 { return begin[i]; } // fuse
fn load_chosen(i: u32) -> f32 { return chosen[i]; } // fuse

// Activation; its derivative, given what it was applied to if KEPT, else its result.
fn safe_value(z: f32) -> f32 { return max(z, 0.0); } // replaced
fn safe_slope(z: f32) -> f32 { return select(0.0, 1.0, z > 0.0); } // replaced
var<workgroup> act: array<vec4<f32>, UNITS>;

@compute @workgroup_size(SIZE, 1)
fn main(
  @builtin(workgroup_id) place: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = place.x + place.y * groups.x * SIDE;
  if (number >= dims.shares_of_all) { return; }
  let lane = local % LANES;
  let example = number % dims.examples;
  let path = number / dims.examples / dims.shares;
  let first = number / dims.examples % dims.shares * dims.share;
  let count = min(dims.share, dims.steps + 1u - first) + 1u;
  let from_x = example * dims.features;
  let from_begin = path * dims.examples * dims.features + from_x;
  let from_node = path * dims.stride + example % dims.each;
  let record = number * dims.record;
  let top = dims.table[dims.layers];
  var class_ = i32(load_chosen(example));

  for (var row = 0u; row < count; row += 4u) {
    // The input, the beginning, and from then on the nodes.
    let r = row + vec4<u32>(0u, 1u, 2u, 3u);
    let inside = (r > vec4<u32>()) & (r + first > vec4<u32>(1u)) & (r < vec4<u32>(count));
    let step = select(vec4<u32>(), r + first - 2u, inside);
    let node = from_node + step * dims.each;
    let u = vec4<f32>(nodes[node.x], nodes[node.y], nodes[node.z], nodes[node.w]);
    let at = select(select(vec4<f32>(), vec4<f32>(1.0), r == vec4<u32>()), u, inside);
    let w = path * dims.steps + step;
    let weight = vec4<f32>(weights[w.x], weights[w.y], weights[w.z], weights[w.w]);
    for (var i = lane; i < dims.features; i += LANES) {
      let x0 = load_begin(from_begin + i);
      let x1 = x[from_x + i];
      act[i] = select(x0 + at * (x1 - x0), vec4<f32>(x1), at == vec4<f32>(1.0));
    }
    workgroupBarrier();

    // Up through the layers, and down again.
    for (var turn = 0u; turn < 2u * dims.layers; turn++) {
      if (turn == dims.layers) {
        if (row == 0u && class_ < 0) {
          class_ = 0;
          var best = act[top.y].x;
          for (var k = 1u; k < dims.classes; k++) {
            let z = act[top.y + k].x;
            if (z > best) {
              best = z;
              class_ = i32(k);
            }
          }
        }
        let own = act[top.y + u32(class_)];
        var most = own;
        var total = vec4<f32>();
        if (SOFTMAX > 0u) {
          for (var k = 0u; k < dims.classes; k++) { most = max(most, act[top.y + k]); }
          for (var k = 0u; k < dims.classes; k++) { total += exp(act[top.y + k] - most); }
        }
        workgroupBarrier();
        for (var k = lane; k < dims.classes; k += LANES) {
          let z = act[top.y + k];
          if (row == 0u) {
            out[record + dims.features + 2u * k] = z.x;
            out[record + dims.features + 2u * k + 1u] = z.y;
          }
          var seed = vec4<f32>(select(0.0, 1.0, i32(k) == class_));
          if (SOFTMAX > 0u) { seed -= exp(z - most) / total; }
          if (SOFTMAX == 1u) { seed *= exp(own - most) / total; }
          act[top.y + k] = seed;
        }
        workgroupBarrier();
      }
      let up = turn < dims.layers;
      let level = select(2u * dims.layers - turn, turn, up);
      let here = dims.table[level];
      let next = dims.table[select(level - 1u, level + 1u, up)];
      let width = (next.x + 3u) / 4u;
      let matrix = select(next.w, here.z, up);
      for (var j = lane; j < width; j += LANES) {
        var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
        for (var k = 0u; k < here.x; k++) {
          let a = act[here.y + k];
          let w = theta[matrix + k * width + j];
          c0 += a * w.x;
          c1 += a * w.y;
          c2 += a * w.z;
          c3 += a * w.w;
        }
        var c = array<vec4<f32>, 4>(c0, c1, c2, c3);
        for (var q = 0u; q < 4u; q++) {
          let i = next.y + 4u * j + q;
          var v = c[q];
          if (up) {
            v += theta[matrix + here.x * width + j][q];
            if (level + 1u < dims.layers) {
              if (KEPT > 0u) {
                act[dims.behind + i] = vec4<f32>(safe_slope(v.x), safe_slope(v.y), safe_slope(v.z), safe_slope(v.w));
              }
              v = vec4<f32>(safe_value(v.x), safe_value(v.y), safe_value(v.z), safe_value(v.w));
            }
          } else if (level > 1u) {
            if (KEPT > 0u) {
              v *= act[dims.behind + i];
            } else {
              let y = act[i];
              v *= vec4<f32>(safe_slope(y.x), safe_slope(y.y), safe_slope(y.z), safe_slope(y.w));
            }
          } else if (i < dims.features) {
            // Left out rather than weighted by 0: a gradient at an end may be infinite.
            var sum = dot(select(vec4<f32>(), v * weight, inside), vec4<f32>(1.0));
            if (row > 0u) { sum += out[record + i]; }
            if (row + 4u >= count) { sum *= x[from_x + i] - load_begin(from_begin + i); }
            out[record + i] = sum;
          }
          act[i] = v;
        }
      }
      workgroupBarrier();
    }
  }
}
