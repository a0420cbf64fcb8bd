// One step of an adaptive path, a workgroup for each row. A coordinate is known by the part of its way that is left, from 1
// to 0: so the corridor is the same two numbers for all coordinates, those at its end are told by equality, what the row
// lacks is a sum of small terms instead of a difference of large ones, and what is almost there is not taken for arrived.
//
// Coordinates that fell behind are pulled up to the beginning of the corridor. Then, until the mean (weighted by |span|) of
// what is left is that of this step, the coordinates of least cost move: to the end of the corridor, or by a common part of
// the way there if that is enough. Chosen are all up to the one of the given rank, among all coordinates; those that are at
// the end or have no way to go count as infinitely costly.
//
// state: parts left, attributions, what was lost in rounding the attributions (each [length]), steps done.
const LANES = 256u; // tune
// Of a cost, looked at together: 8, or 4 with less memory to clear and twice as many turns.
const BITS = 8u; // tune
const BINS = 1u << BITS;
// Below this, one invocation's sum needs no parts.
const PART = 64u;
struct Dims {
  rows: u32,
  length: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> cost: array<f32>;
// Derivative of the score by the part of the way that is behind.
@group(0) @binding(2) var<storage, read> slope: array<f32>;
@group(0) @binding(3) var<storage, read> span: array<f32>;
@group(0) @binding(4) var<storage, read> state: array<f32>;
// Number of steps, rank, half width of the corridor.
@group(0) @binding(5) var<storage, read> settings: array<f32>;
// Bits of floats: while coordinates move, keys stand where the rounding errors belong.
@group(0) @binding(6) var<storage, read_write> out: array<u32>;

struct Survey {
  // To go until the row has what this step asks for, over all coordinates.
  missing: f32,
  // How many candidates cost less than the limit, and how far they can move.
  count: f32,
  room: f32,
}

var<workgroup> bins: array<atomic<u32>, BINS>;
var<workgroup> coarse: array<u32, 16>;
var<workgroup> parts: array<vec3<f32>, LANES>;
var<workgroup> totals: vec3<f32>;
// The digits of the quantile found so far, and its rank among those that share them.
var<workgroup> found: vec2<u32>;

// Where the row is in the arrays of its kind, and its corridor.
struct Row {
  lane: u32,
  values: u32,
  state: u32,
  keys: u32,
  // What is left after this step, in the mean and at the end of the corridor.
  rest: f32,
  least: f32,
}

const EXCLUDED = 0xffffffffu;

// Whole numbers in the order of the floats.
fn order(cost: f32) -> u32 {
  let bits = bitcast<u32>(cost);
  return select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
}

fn survey(row: Row, limit: u32) -> Survey {
  var own = vec3<f32>();
  for (var first = 0u; first < dims.length; first += LANES * PART) {
    var part = vec3<f32>();
    let end = min(first + LANES * PART, dims.length);
    for (var i = first + row.lane; i < end; i += LANES) {
      let way = abs(span[row.values + i]);
      let left = bitcast<f32>(out[row.state + i]);
      part.x += way * (left - row.rest);
      if (out[row.keys + i] < limit) { part += vec3<f32>(0.0, 1.0, way * (left - row.least)); }
    }
    own += part;
  }
  parts[row.lane] = own;
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (row.lane < half) { parts[row.lane] += parts[row.lane + half]; }
  }
  if (row.lane == 0u) { totals = parts[0]; }
  let all = workgroupUniformLoad(&totals);
  return Survey(all.x, all.y, all.z);
}

// The cost (as a whole number) that `rank` candidates are below: some bits of it after another.
fn quantile(row: Row, rank: u32) -> u32 {
  var known = vec2<u32>(0u, rank);
  for (var shift = 32u - BITS; ; shift -= BITS) {
    for (var bin = row.lane; bin < BINS; bin += LANES) { atomicStore(&bins[bin], 0u); }
    workgroupBarrier();
    for (var i = row.lane; i < dims.length; i += LANES) {
      let key = out[row.keys + i];
      if (key != EXCLUDED && (shift == 32u - BITS || (key ^ known.x) >> (shift + BITS) == 0u)) {
        atomicAdd(&bins[(key >> shift) & (BINS - 1u)], 1u);
      }
    }
    workgroupBarrier();
    if (BITS == 8u) {
      for (var some = row.lane; some < 16u; some += LANES) {
        var count = 0u;
        for (var bin = 0u; bin < 16u; bin++) { count += atomicLoad(&bins[some * 16u + bin]); }
        coarse[some] = count;
      }
      workgroupBarrier();
    }
    if (row.lane == 0u) {
      var left = known.y;
      var bin = 0u;
      if (BITS == 8u) {
        for (; bin < 15u && left >= coarse[bin]; bin++) { left -= coarse[bin]; }
        bin *= 16u;
      }
      let last = bin + 15u;
      for (; bin < last && left >= atomicLoad(&bins[bin]); bin++) { left -= atomicLoad(&bins[bin]); }
      found = vec2<u32>(known.x | (bin << shift), left);
    }
    known = workgroupUniformLoad(&found);
    if (shift == 0u) { break; }
  }
  return known.x;
}

@compute @workgroup_size(LANES, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = wid.x + wid.y * groups.x;
  if (number >= dims.rows) { return; }
  let length = dims.length;
  let base = number * (3u * length + 1u);
  let done = state[base + 3u * length] + 1.0;
  let rank = u32(settings[1]);
  let corridor = settings[2];
  let rest = (settings[0] - done) / settings[0];
  let most = min(rest + corridor, 1.0);
  let row = Row(lane, number * length, base, base + 2u * length, rest, max(rest - corridor, 0.0));
  for (var i = lane; i < length; i += LANES) {
    let at = min(state[base + i], most);
    out[base + i] = bitcast<u32>(at);
    out[row.keys + i] = select(EXCLUDED, order(cost[row.values + i]), span[row.values + i] != 0.0 && at != row.least);
  }

  // Every round but the last brings at least one coordinate to the end of the corridor.
  var open = survey(row, EXCLUDED);
  for (var round = 0u; round < length; round++) {
    if (!(open.missing > 0.0) || open.count == 0.0) { break; }
    var limit = EXCLUDED;
    var moving = open;
    if (u32(open.count) > rank) {
      limit = quantile(row, rank) + 1u;
      moving = survey(row, limit);
    }
    // As equal as rounding lets them be is enough.
    let whole = open.missing >= moving.room * 0.999999;
    let part = open.missing / moving.room;
    for (var i = lane; i < length; i += LANES) {
      if (out[row.keys + i] < limit) {
        let at = bitcast<f32>(out[base + i]);
        out[base + i] = bitcast<u32>(select(row.least + (at - row.least) * (1.0 - part), row.least, whole));
        if (whole) { out[row.keys + i] = EXCLUDED; }
      }
    }
    if (!whole) { break; }
    open = Survey(open.missing - moving.room, open.count - moving.count, open.room - moving.room);
  }

  // Compensated summation: the gradient is the same for all moves of a step.
  for (var i = base + lane; i < base + length; i += LANES) {
    let before = state[i + length];
    let moved = state[i] - bitcast<f32>(out[i]);
    let more = moved * slope[i - base + row.values] - state[i + 2u * length];
    let after = before + more;
    out[i + length] = bitcast<u32>(after);
    out[i + 2u * length] = bitcast<u32>((after - before) - more);
  }
  if (lane == 0u) { out[base + 3u * length] = bitcast<u32>(done); }
}
