// npm run example:pictures -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import { runExample, wholeNumber, writeStudy, type Given, type Tools } from "./lib/command.ts";
import type { PictureKind } from "./lib/pictures-data.ts";
import { picturesReport, resultJson, summaryText, type Run } from "./lib/pictures-report.ts";
import { picturesStudy, type PicturesSettings } from "./lib/pictures-study.ts";

const USAGE = `When does a classifier make up its mind, and over which pixels? Fades pictures in, and compares Integrated Gradients
with plain gradients.

  npm run example:pictures -- [options]

  --model MODEL     emotion (default): faces; detypify: hand-drawn symbols; or one of your own for photographs:
                    FILE.onnx, or the folder of a TensorFlow.js model, that gives logits
  --pictures N      how many (default 12 faces, 9 symbols or 8 photographs: all of these)
  --score KIND      what is attributed: probability (default) or logit
  --baseline NAME   where paths start and what blanked pixels become: black or grey (default grey for faces, else black)
  --nodes N         midpoints of Integrated Gradients (default 32)
  --positions N     on the curves along the path (default 11)
  --examples N      pictures that are shown (default 4)
  --seed N          of the random attributions (default 0)
  --quick           3 pictures, 12 nodes, 6 positions: about a minute on two cores with a software adapter
  --out FOLDER      where the files go (default out/pictures)
  --help            this text

Models and pictures are downloaded once and kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

const FRACTIONS = [0, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
const KINDS: Readonly<Record<string, PictureKind>> = { emotion: "faces", detypify: "symbols" };
const MOST: Readonly<Record<PictureKind, number>> = { faces: 12, symbols: 9, photographs: 8 };

interface Settings {
  readonly out: string;
  readonly study: PicturesSettings;
}

function settings(given: Given): Settings {
  const quick = given["quick"] === true;
  const [out, model, score] = [given["out"] ?? "out/pictures", given["model"] ?? "emotion", given["score"] ?? "probability"].map(String); // prettier-ignore
  if (!out) throw new ArgumentError("--out is empty");
  if (!model) throw new ArgumentError("--model is empty");
  if (score !== "probability" && score !== "logit")
    throw new ArgumentError(`--score: expected probability or logit, got "${score}"`);
  const baseline = given["baseline"] ?? (model === "emotion" ? "grey" : "black");
  if (baseline !== "black" && baseline !== "grey")
    throw new ArgumentError(`--baseline: expected black or grey, got "${baseline}"`);
  const kind = KINDS[model] ?? "photographs";
  return {
    out,
    study: {
      model,
      kind,
      score,
      baseline,
      pictures: wholeNumber(given, "pictures", quick ? 3 : MOST[kind], 1, 101),
      nodes: wholeNumber(given, "nodes", quick ? 12 : 32, 1, 4096),
      positions: wholeNumber(given, "positions", quick ? 6 : 11, 2, 1001),
      examples: wholeNumber(given, "examples", 4, 1, 20),
      seed: wholeNumber(given, "seed", 0, 0, 2 ** 31),
      fractions: FRACTIONS,
    },
  };
}

async function run({ out, study: chosen }: Settings, { device, progress, signal }: Tools): Promise<void> {
  const started = performance.now();
  const study = await picturesStudy(chosen, { device, signal, note: progress.note, onProgress: progress.update });
  const done: Run = { study, adapter: device.info.description, seconds: (performance.now() - started) / 1000 };
  await writeStudy(
    out,
    { report: await picturesReport(done), numbers: resultJson(done), summary: summaryText(done) },
    progress,
  );
}

await runExample({
  name: "example:pictures",
  usage: USAGE,
  options: {
    model: { type: "string" },
    pictures: { type: "string" },
    score: { type: "string" },
    baseline: { type: "string" },
    nodes: { type: "string" },
    positions: { type: "string" },
    examples: { type: "string" },
    seed: { type: "string" },
    quick: { type: "boolean" },
    out: { type: "string" },
  },
  settings,
  run,
});
