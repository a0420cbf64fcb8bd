import { decode } from "fast-png";
import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../src/tensor/errors.ts";
import { encodePng, lineChart, report } from "../../src/view/index.ts";

const NASTY = `<script>alert("1")</script> & 'more'`;
const picture = { width: 2, height: 3, data: new Uint8ClampedArray(24).fill(77) };
const chart = lineChart({
  title: NASTY,
  series: [{ name: NASTY, x: [0, 1], y: [0, 1] }],
  x: { label: NASTY },
  y: { label: NASTY },
});

describe("report", () => {
  it("escapes every text", async () => {
    const figures = [
      { content: picture, caption: NASTY },
      { content: chart, caption: NASTY },
    ];
    const tables = [{ caption: NASTY, columns: [NASTY], rows: [[NASTY]] }];
    const part = { text: NASTY, facts: { [NASTY]: NASTY }, figures, tables };
    const html = await report({
      title: NASTY,
      language: `"><script>`,
      ...part,
      sections: [{ heading: NASTY, ...part }],
    });
    expect(html).not.toMatch(/<script/i);
    expect(html.match(/&lt;script&gt;/g)!.length).toBeGreaterThan(20);
    expect(html).not.toContain(`"1"`);
  });

  it("needs nothing from outside and may run nothing", async () => {
    const html = await report({
      title: "t",
      figures: [
        { content: picture, caption: "c" },
        { content: chart, caption: "c" },
      ],
    });
    expect(html).toContain(`content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"`);
    const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url!);
    expect(addresses.length).toBe(1);
    expect(addresses.every((url) => url.startsWith("data:"))).toBe(true);
    expect(html).not.toMatch(/url\(|@import/);
  });

  it("shows pixels and PNG files at their size", async () => {
    const png = await encodePng(picture);
    // A view into a larger buffer, as a file read by Node is.
    const inside = new Uint8Array(png.length + 10).subarray(7, 7 + png.length);
    inside.set(png);
    for (const content of [picture, png, inside]) {
      const html = await report({ title: "t", figures: [{ content, caption: "c", alt: "a cat" }] });
      const [, url] = /<img src="data:image\/png;base64,([^"]*)" width="2" height="3" alt="a cat">/.exec(html)!;
      expect(decode(Buffer.from(url!, "base64")).data[0]).toBe(77);
    }
  });

  it("aligns columns of numbers and formats them", async () => {
    const tables = [
      {
        caption: "c",
        columns: ["rule", "error"],
        rows: [
          ["left", 0.000012345],
          ["right", 2],
        ],
      },
    ];
    const html = await report({ title: "t", tables, facts: { steps: 32, smooth: true } });
    expect(html).toContain('<th scope="col">rule</th><th scope="col" class="number">error</th>');
    expect(html).toMatch(/<td>left<\/td><td class="number">1\.23\de-5<\/td>/);
    expect(html).toContain("<dt>steps</dt><dd>32</dd>");
    expect(html).toContain("<dt>smooth</dt><dd>true</dd>");
  });

  it("closes what it opens", async () => {
    const html = await report({
      title: "t",
      text: "a\n\nb",
      sections: [{ heading: "h", text: "c" }, { heading: "i" }],
    });
    for (const name of ["html", "head", "body", "main", "section", "p", "h1", "h2", "style"]) {
      const opened = html.match(new RegExp(`<${name}[ >]`, "g"))?.length;
      expect([name, html.match(new RegExp(`</${name}>`, "g"))?.length]).toEqual([name, opened]);
    }
    expect(html.match(/<p>/g)?.length).toBe(3);
  });

  it("refuses what is no picture and rows that do not fit", async () => {
    const of = (content: string | Uint8Array) => report({ title: "t", figures: [{ content, caption: "c" }] });
    await expect(of("<p>")).rejects.toThrow(ArgumentError);
    await expect(of("<svg><script/></svg>")).rejects.toThrow(ArgumentError);
    await expect(of(new Uint8Array(50))).rejects.toThrow(ArgumentError);
    await expect(report({ title: "t", tables: [{ caption: "c", columns: ["a"], rows: [[1, 2]] }] })).rejects.toThrow(
      ShapeError,
    );
  });
});
