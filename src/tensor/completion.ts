// Chromium looks for finished work every two milliseconds, and whenever it hears from the page. Small networks need less than
// that, so somebody who waits for results asks about now and then, around the time at which they took form before.

/** Longer work gains less than it loses, on software adapters, to the processor time that questions take. */
const LONG_MS = 3.5;
/** A timer is less exact than what it would wait for. */
const LEAST_TIMER_MS = 1;
/** Asking starts after this part of the time that such work took before, which is up to two milliseconds too long. */
const EARLY = 0.5;
/** One slow answer may be a disturbance: what is remembered grows by no more than this factor. */
const SLOWER = 1.2;
/** A question takes about 0.15 ms, and the processor's time with it. */
const MOST_QUESTIONS = 24;
/** So many kinds of work are told apart. */
const MOST_KINDS = 256;

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** How long work of each kind took on a device, and a way to wait for it. */
export class Completions {
  readonly #took = new Map<string, number>();

  constructor(private readonly gpu: Pick<GPUDevice, "pushErrorScope" | "popErrorScope">) {}

  /**
   * Waits for `done`, and makes it come sooner.
   * @param kind equal for submits that take about equally long
   */
  async wait(kind: string, done: Promise<unknown>): Promise<void> {
    const start = performance.now();
    let waiting = true;
    // A failure is the caller's to report.
    const end = done.then(
      () => (waiting = false),
      () => (waiting = false),
    );
    const took = this.#took.get(kind) ?? Infinity;
    if (took < LONG_MS) {
      const early = Math.floor(EARLY * took);
      if (early >= LEAST_TIMER_MS) await Promise.race([end, sleep(early)]);
      for (let i = 0; waiting && i < MOST_QUESTIONS; i++) await this.#ask();
    }
    await done;
    if (this.#took.size >= MOST_KINDS) this.#took.clear();
    this.#took.set(kind, Math.min(performance.now() - start, SLOWER * took));
  }

  /** The shortest question that is answered: what an empty error scope caught. */
  async #ask(): Promise<void> {
    this.gpu.pushErrorScope("validation");
    await this.gpu.popErrorScope().catch(() => null);
  }
}
