// Tables of plain text.

/** Columns of equal width, two spaces apart; columns of numbers stand on the right, with their heads. */
export function textTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = columns.map((_, i) => rows.length > 0 && rows.every((r) => /^[-−+]?[\d.]/.test(r[i] ?? "")));
  const widths = columns.map((head, i) => Math.max(...[head, ...rows.map((r) => r[i] ?? "")].map(displayWidth)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const space = " ".repeat(widths[i]! - displayWidth(cell));
        return numeric[i] ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width));
  return [line(columns), line(rule), ...rows.map(line)].join("\n");
}

/** Names and values, the values in one column. */
export function factTable(facts: Readonly<Record<string, string>>): string {
  const width = Math.max(...Object.keys(facts).map(displayWidth));
  return Object.entries(facts)
    .map(([name, value]) => `${name}${" ".repeat(width - displayWidth(name))}  ${value}`)
    .join("\n");
}

/** Terminals give East Asian characters and emoji two columns, and combining marks none. */
function displayWidth(text: string): number {
  let width = 0;
  for (const c of text) {
    if (/\p{Mark}/u.test(c)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        c,
      )
        ? 2
        : 1;
  }
  return width;
}
