// One thread that counts its dispatches.
@group(0) @binding(0) var<storage, read_write> count: array<u32>;
@compute @workgroup_size(1, 1)
fn main() {
  count[0] += 1u;
}
