import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ArgumentError, LimitError, openDevice, type Device } from "../../src/tensor/index.ts";
import { testDevice, withCleanDevice } from "../gpu.ts";

// A device of its own, on the shared GPU: these tests look at every byte of the pool.
const POOL_BYTES = 4096;
let device: Device;
beforeAll(async () => {
  device = await openDevice({ device: (await testDevice()).gpu, poolBytes: POOL_BYTES });
});
afterAll(() => device.destroy());

describe("device memory", () => {
  test("live bytes rise, return, and leave their peak", () => {
    const start = device.memory.live;
    device.resetPeak();
    const a = device.allocate(1000);
    const b = device.allocate(24);
    expect(device.memory.live - start).toBe(a.bytes + b.bytes);
    expect(a.bytes).toBeGreaterThanOrEqual(1000);
    expect(b.bytes % 16).toBe(0);
    device.release(a);
    device.release(b);
    expect(device.memory.live).toBe(start);
    expect(device.memory.peak - start).toBe(a.bytes + b.bytes);
    device.resetPeak();
    expect(device.memory.peak).toBe(start);
  });

  test("a released buffer serves the next request of its size class, under a new id", () => {
    const first = device.allocate(1000);
    device.release(first);
    const second = device.allocate(1010);
    expect(second.buffer).toBe(first.buffer);
    expect(second.id).not.toBe(first.id);
    device.release(second);
  });

  test("idle bytes stay within the bound, and trim() frees them", () => {
    const many = Array.from({ length: 8 }, () => device.allocate(1024));
    many.forEach((allocation) => device.release(allocation));
    expect(device.memory.pooled).toBe(POOL_BYTES);
    device.trim();
    expect(device.memory).toMatchObject({ live: 0, pooled: 0 });
  });

  test("size classes waste a fifth at most", () => {
    for (const bytes of [0, 1, 16, 17, 100, 1025, 5000, 70_001, 1_000_003]) {
      const allocation = device.allocate(bytes);
      expect(allocation.bytes).toBeGreaterThanOrEqual(bytes);
      expect(allocation.bytes - Math.max(16, bytes)).toBeLessThanOrEqual(Math.max(15, bytes / 4));
      device.release(allocation);
    }
  });

  test("releasing twice is refused", () => {
    const allocation = device.allocate(16);
    device.release(allocation);
    expect(() => device.release(allocation)).toThrow(ArgumentError);
  });

  test("what one binding cannot hold is a LimitError before anything is allocated", () =>
    withCleanDevice((shared) => {
      const { maxBufferSize, maxStorageBufferBindingSize } = shared.limits;
      const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
      expect(() => shared.allocate(limit + 1, "weights")).toThrow(LimitError);
      expect(() => shared.allocate(limit + 1, "weights")).toThrow(/weights needs .* and this adapter binds at most/);
    }));
});
