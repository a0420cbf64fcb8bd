// npm run example:page -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import { runExample, wholeNumber, writeFiles, type Given, type Tools } from "./lib/command.ts";
import { livePage } from "./lib/live-page.ts";
import { pageStudy, type PageSettings } from "./lib/live-page-study.ts";
import { loadTable, SOURCE_OPTIONS, SOURCE_USAGE, sourceOf, type Source } from "./lib/table-source.ts";

const USAGE = `What moves a prediction? Trains a network on a table, compiles its explanation ahead, and writes one page that explains
the network while a reader moves sliders: without a server, and without code that compiles.

  npm run example:page -- [--data FILE.csv --label NAME] [options]

${SOURCE_USAGE}

  --nodes N            quadrature nodes of an explanation (default 200)
  --steps N            training steps (default 200)
  --seed N             of the split, the weights and the order of the rows (default 0)
  --out FOLDER         where index.html goes (default out/page)
  --help               this text

The page needs a browser with WebGPU. Held-out rows of the table are in it, as are the network's weights.
The downloaded table is kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

interface Settings {
  /** Undefined: the default data set. */
  readonly source: Source | undefined;
  readonly out: string;
  readonly study: PageSettings;
}

function settings(given: Given): Settings {
  const out = String(given["out"] ?? "out/page");
  if (out === "") throw new ArgumentError("--out is empty");
  return {
    source: sourceOf(given),
    out,
    study: {
      hidden: [32, 16],
      seed: wholeNumber(given, "seed", 0, 0, 2 ** 31),
      steps: wholeNumber(given, "steps", 200, 1, 100_000),
      nodes: wholeNumber(given, "nodes", 200, 1, 4096),
    },
  };
}

async function run({ source, out, study: settings }: Settings, tools: Tools): Promise<void> {
  const { device, progress, signal } = tools;
  const data = await loadTable(source, tools);
  const study = await pageStudy(data, settings, { device, signal, onProgress: progress.update });
  const { html, sizes } = await livePage({ study, predicted: source?.label ?? data.name });
  const [file] = await writeFiles(out, { "index.html": html });
  progress.finish();
  const { accuracy, auc, logLoss } = study.quality;
  console.log(
    `On ${study.rows.test} held-out rows: accuracy ${accuracy.toFixed(3)}, AUC ${auc.toFixed(3)}, log loss ` +
      `${logLoss.toFixed(3)}.\n\n` +
      Object.entries(sizes)
        .map(([part, bytes]) => `${part.padEnd(28)}${(bytes / 1000).toFixed(1).padStart(6)} KB gzip`)
        .join("\n") +
      `\n\nOpen ${file} in a browser.`,
  );
}

await runExample({
  name: "example:page",
  usage: USAGE,
  options: {
    ...SOURCE_OPTIONS,
    nodes: { type: "string" },
    steps: { type: "string" },
    seed: { type: "string" },
    out: { type: "string" },
  },
  settings,
  run,
});
