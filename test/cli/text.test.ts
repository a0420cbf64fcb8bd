import { describe, expect, test } from "vitest";
import { createProgress } from "../../src/cli/progress.ts";
import { factTable, textTable } from "../../src/cli/table.ts";

describe("tables", () => {
  test("numbers stand on the right, texts on the left", () => {
    expect(
      textTable(
        ["class", "score"],
        [
          ["alpha", "6.5"],
          ["an eye", "-10.25"],
        ],
      ),
    ).toBe(["class    score", "──────  ──────", "alpha      6.5", "an eye  -10.25"].join("\n"));
  });

  test("wide and combining characters count as terminals show them", () => {
    expect(
      textTable(
        ["c", "n"],
        [
          ["日本", "1"],
          ["e\u0301", "22"],
        ],
      ),
    ).toBe(["c      n", "────  ──", "日本   1", "e\u0301     22"].join("\n"));
  });

  test("facts", () => {
    expect(factTable({ a: "1", long: "2" })).toBe("a     1\nlong  2");
  });

  test("a table without rows is its head", () => {
    expect(textTable(["a"], [])).toBe("a\n─");
  });
});

describe("progress", () => {
  const record = (isTTY: boolean) => {
    let written = "";
    return { isTTY, columns: 60, write: (text: string) => (written += text), text: () => written };
  };

  test("plain lines: one a stage, one a quarter", () => {
    const output = record(false);
    const progress = createProgress(output);
    for (let done = 0; done <= 8; done++) progress.update("integrating", done, 8);
    progress.update("drawing", 0, 1);
    progress.note("a note");
    progress.finish();
    expect(output.text()).toBe(
      "integrating ...\nintegrating: 2 of 8\nintegrating: 4 of 8\nintegrating: 6 of 8\nintegrating: 8 of 8\ndrawing ...\na note\n",
    );
  });

  test("a terminal gets one line that is redrawn and cleared", () => {
    const output = record(true);
    const progress = createProgress(output);
    progress.update("integrating", 1, 2);
    progress.note("a note");
    progress.update("integrating", 2, 2);
    progress.finish();
    expect(output.text()).toContain(`${"█".repeat(14)}${"░".repeat(14)} integrating 1/2`);
    expect(output.text()).toContain("\r\x1b[Ka note\n");
    expect(output.text().endsWith("\r\x1b[K")).toBe(true);
  });
});
