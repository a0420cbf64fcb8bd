// How far the work is, on stderr: a bar on a terminal, lines elsewhere.
export interface Progress {
  /** `done` of `total` units of a stage. */
  update(stage: string, done: number, total: number): void;
  /** A line that stays. */
  note(text: string): void;
  /** Ends the bar. */
  finish(): void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const WIDTH = 28;

export function createProgress(output: Output): Progress {
  return output.isTTY === true ? bar(output) : lines(output);
}

function bar(output: Output): Progress {
  let drawn = "";
  const clear = (): void => {
    if (drawn !== "") output.write("\r\x1b[K");
    drawn = "";
  };
  return {
    update(stage, done, total) {
      const filled = Math.round((WIDTH * done) / Math.max(1, total));
      const text = `${"█".repeat(filled)}${"░".repeat(WIDTH - filled)} ${stage}${total > 1 ? ` ${done}/${total}` : ""}`;
      if (text === drawn) return;
      output.write(`\r\x1b[K${text.slice(0, (output.columns ?? 80) - 1)}`);
      drawn = text;
    },
    note(text) {
      clear();
      output.write(`${text}\n`);
    },
    finish: clear,
  };
}

/** One line when a stage begins, and one for every quarter of it. */
function lines(output: Output): Progress {
  let stage = "";
  let quarter = 0;
  return {
    update(name, done, total) {
      const reached = Math.floor((4 * done) / Math.max(1, total));
      if (name !== stage) output.write(`${name} ...\n`);
      else if (reached > quarter && total > 1) output.write(`${name}: ${done} of ${total}\n`);
      [stage, quarter] = [name, reached];
    },
    note: (text) => void output.write(`${text}\n`),
    finish: () => undefined,
  };
}
