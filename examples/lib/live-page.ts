// One HTML file that explains a network while sliders move: its code, what was compiled ahead, and the weights.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { root } from "../../scripts/library.mjs";
import { escapeText } from "../../src/view/svg.ts";
import { KERNELS, type PageData } from "./live-page-data.ts";
import { STYLE } from "./live-page-style.ts";
import { PAIRS, type PageStudy } from "./live-page-study.ts";

export interface LivePage {
  readonly html: string;
  /** Compressed bytes of the page's parts. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** @param predicted name of what the classes are values of */
export async function livePage(page: { readonly study: PageStudy; readonly predicted: string }): Promise<LivePage> {
  const { study, predicted } = page;
  const { ahead, features, cases } = study;
  const code = await clientCode();
  const weights = Buffer.from(ahead.weights);
  const explanations = KERNELS.map((kernels) => JSON.stringify(ahead.explanations[kernels]));
  const sizes = {
    "code that explains": compressed(code),
    "explanation for GPUs": compressed(explanations[0]!),
    "explanation for CPU adapters": compressed(explanations[1]!),
    weights: compressed(weights),
  };
  const data: PageData = { features, cases };
  const { positive, negative } = study.data.classes;
  const title = `${predicted}: ${positive} or ${negative}?`;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(code)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
${markup(study, sizes)}
</main>
${jsonBlock("data", JSON.stringify(data))}
${KERNELS.map((kernels, i) => jsonBlock(kernels, explanations[i]!)).join("\n")}
${jsonBlock("weights", JSON.stringify(weights.toString("base64")))}
<script type="module">${code}</script>
</body>
</html>
`;
  return { html, sizes };
}

/** The script of the page, which reads programs and runs them, and can make none. */
export async function clientCode(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, "examples/lib/live-page-client.ts")],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    logLevel: "warning",
    // Parsed with the rest of the package, and dropped with it.
    loader: { ".wgsl": "text" },
    // Never asked for in a browser.
    external: ["*/node-adapter.ts"],
  });
  return outputFiles[0]!.text.trim();
}

/** The page runs this script and no other, and loads nothing. */
function policy(code: string): string {
  const hash = createHash("sha256").update(code).digest("base64");
  return `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'`;
}

/** Without "<", nothing inside can end the element or begin a comment. */
const jsonBlock = (id: string, json: string): string =>
  `<script type="application/json" id="${id}">${json.replaceAll("<", "\\u003c")}</script>`;

const compressed = (content: string | Uint8Array): number => gzipSync(content, { level: 9 }).length;

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} KB`;

function markup({ data, rows, quality, settings, features }: PageStudy, sizes: LivePage["sizes"]): string {
  const { positive, negative } = data.classes;
  const facts: Readonly<Record<string, string>> = {
    ...Object.fromEntries(Object.entries(sizes).map(([part, bytes]) => [part, `${kilobytes(bytes)} gzip`])),
    network: `${[features.length, ...settings.hidden, 1].join("-")}, ReLU`,
    "training rows": String(rows.train),
    "held-out rows": String(rows.test),
    "accuracy on them": quality.accuracy.toFixed(3),
    "AUC on them": quality.auc.toFixed(3),
    "log loss on them": quality.logLoss.toFixed(3),
  };
  const list = Object.entries(facts).map(([name, value]) => fact(name, escapeText(value)));
  return `<p>A small network reads ${features.length} features. Move a slider, and your browser explains the new answer, by Integrated
Gradients and Hessians from the mean row. Nothing leaves this page.</p>
<p id="problem" role="alert" hidden></p>
<noscript><p>This page computes with JavaScript and WebGPU.</p></noscript>
<div id="live" hidden>
<section class="card answer" aria-label="Prediction">
<p class="percent"><span>probability of “${escapeText(positive)}”</span> <data id="probability"></data></p>
<div class="scale" aria-hidden="true">
<div class="meter"><div id="meter"></div></div>
<p><span>${escapeText(negative)}</span><span>${escapeText(positive)}</span></p>
</div>
</section>
<section class="card" aria-label="Row and sum">
<div class="controls">
<button type="button" id="another">Another row</button>
<button type="button" id="mean">Mean row</button>
<button type="button" id="reset">Reset</button>
<p id="case" role="status"></p>
</div>
<dl class="sum" id="sum">
<div><dt>logit of mean row</dt><dd><data id="baseline"></data></dd></div>
<div><dt>contributions</dt><dd><data id="contributions"></data></dd></div>
<div><dt>logit of this row</dt><dd><data id="logit"></data></dd></div>
<div class="time"><dt>last explanation</dt><dd id="time"></dd></div>
</dl>
<p class="note">The contributions miss the difference of the logits by <data id="delta"></data> (${settings.nodes} nodes on the path).</p>
</section>
<section class="card features" aria-label="Features">
<div class="head" aria-hidden="true"><span>feature</span><span>value</span>
<span class="sides"><span>${escapeText(negative)}</span><span>${escapeText(positive)}</span></span></div>
<ol id="features"></ol>
<button type="button" id="all" aria-controls="features"></button>
</section>
<section class="card features" aria-label="Pairs of features">
<div class="head" aria-hidden="true"><span>pair of features</span><span></span>
<span class="sides"><span>${escapeText(negative)}</span><span>${escapeText(positive)}</span></span></div>
<ol id="pairs"></ol>
<p class="note">Integrated Hessians of the network smoothed with β = ${PAIRS.beta}, whose logit changes by <data id="change"></data> on this way: features
alone make <data id="alone"></data> of it, pairs <data id="together"></data>; they miss it by <data id="missed"></data>.
<span id="more"></span> for all ${(features.length * (features.length - 1)) / 2} pairs.</p>
</section>
<section>
<h2>How to read this</h2>
<p>The logit is the logarithm of the odds of “${escapeText(positive)}”: 0 is a probability of one half. Each bar is what a feature
contributes on the way from the mean training row to the row above, in logits; a feature at its mean, the tick on its slider, contributes nothing.
A pair counts beside that where one feature changes what the other does: Integrated Hessians
divide every contribution up in this way. All bars describe this network, not what causes what: where features go together, another network may use others.</p>
<p>${escapeText([`Data: ${data.source}.`, ...data.notes].join(" "))}</p>
<dl class="facts">
${fact("first explanation", `<span id="first"></span>`)}
${fact("adapter", `<span id="adapter"></span>`)}
${list.join("\n")}
</dl>
</section>
</div>`;
}

const fact = (name: string, markup: string): string => `<div><dt>${escapeText(name)}</dt><dd>${markup}</dd></div>`;
