// Waiting for results with questions in between: how many are asked, by a fake clock, and that nothing is lost.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Completions } from "../../src/tensor/completion.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A device that answers soon, and counts questions. */
function deviceThat(answers: () => Promise<null> = () => after(0.1, null)) {
  const asked = { open: 0, count: 0 };
  const gpu = {
    pushErrorScope: () => void asked.open++,
    popErrorScope: () => {
      asked.open--;
      asked.count++;
      return answers();
    },
  };
  return { asked, completions: new Completions(gpu) };
}

const after = <T>(milliseconds: number, value: T): Promise<T> =>
  new Promise((resolve) => setTimeout(() => resolve(value), milliseconds));

async function work(completions: Completions, kind: string, milliseconds: number): Promise<void> {
  const waited = completions.wait(kind, after(milliseconds, undefined));
  await vi.advanceTimersByTimeAsync(1000);
  await waited;
}

describe("completion of work", () => {
  test("is only asked about where such work was short before", async () => {
    const { asked, completions } = deviceThat();
    await work(completions, "short", 2);
    expect(asked.count).toBe(0);
    await work(completions, "other", 2);
    expect(asked.count).toBe(0);
    await work(completions, "short", 2);
    expect(asked.count).toBeGreaterThan(0);
    const { count } = asked;
    await work(completions, "long", 30);
    await work(completions, "long", 30);
    expect(asked).toEqual({ open: 0, count });
  });

  test("is waited for without questions once it has taken longer than it used to for a while", async () => {
    const { asked, completions } = deviceThat();
    await work(completions, "kind", 1);
    await work(completions, "kind", 500);
    expect(asked.count).toBeLessThanOrEqual(24);
    for (let i = 0; i < 8; i++) await work(completions, "kind", 500);
    const { count } = asked;
    await work(completions, "kind", 500);
    expect(asked.count).toBe(count);
  });

  test("is asked about after a single disturbance", async () => {
    const { asked, completions } = deviceThat();
    for (const took of [2, 30]) await work(completions, "kind", took);
    const { count } = asked;
    await work(completions, "kind", 2);
    expect(asked.count).toBeGreaterThan(count);
  });

  test("that fails, fails for whoever waits; answers that fail do not", async () => {
    const { asked, completions } = deviceThat(() => Promise.reject(new Error("lost")));
    await work(completions, "kind", 1);
    await work(completions, "kind", 2);
    expect(asked.count).toBeGreaterThan(0);
    const failed = completions.wait("kind", Promise.reject(new Error("no memory")));
    const seen = expect(failed).rejects.toThrow("no memory");
    await vi.advanceTimersByTimeAsync(100);
    await seen;
    expect(asked.open).toBe(0);
  });
});
