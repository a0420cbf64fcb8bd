// npm run example:pictures -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import { runExample, wholeNumber, writeStudy, type Given, type Tools } from "./lib/command.ts";
import { picturesReport, resultJson, summaryText, type Run } from "./lib/pictures-report.ts";
import { picturesStudy, type PicturesSettings } from "./lib/pictures-study.ts";

const USAGE = `When does a classifier make up its mind, and over which pixels? Fades pictures in, and compares Integrated Gradients
with plain gradients.

  npm run example:pictures -- [options]

  --model MODEL     emotion (default): faces; detypify: hand-drawn symbols; inception: an Inception V3
                    (25 MB) that tells a drawing from photographs; or one of your own for photographs: FILE.onnx,
                    or the folder of a TensorFlow.js model, that gives logits
  --pictures N      how many (default 12 faces, 9 symbols or 8 photographs: all of these; 2 for
                    inception: a photograph and a drawing)
  --score KIND      what is attributed: probability (default) or logit
  --baseline NAME   where paths start and what blanked pixels become: black or grey (default grey for emotion and
                    inception, else black)
  --nodes N         midpoints of Integrated Gradients (default 32; 6 for inception)
  --positions N     on the curves along the path (default 11; 4 for inception)
  --examples N      pictures that are shown (default 4)
  --seed N          of the random attributions (default 0)
  --quick           3 pictures, 12 nodes, 6 positions: about a minute on two cores with a software adapter; for
                    inception 1, 4 and 3: some minutes there (without it, ten and more)
  --out FOLDER      where the files go (default out/pictures)
  --help            this text

Models and pictures are downloaded once and kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

interface Usual extends Pick<PicturesSettings, "kind" | "baseline" | "fractions" | "pictures" | "nodes" | "positions"> {
  readonly quick: Pick<PicturesSettings, "pictures" | "nodes" | "positions">;
}

/** What a model gets unless it is asked for otherwise. */
const OWN: Usual = {
  kind: "photographs",
  baseline: "black",
  fractions: [0, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2],
  pictures: 8,
  nodes: 32,
  positions: 11,
  quick: { pictures: 3, nodes: 12, positions: 6 },
};
const USUAL: Readonly<Record<string, Usual>> = {
  emotion: { ...OWN, kind: "faces", baseline: "grey", pictures: 12 },
  detypify: { ...OWN, kind: "symbols", pictures: 9 },
  // A gradient of this network takes 11 billion multiplications.
  inception: {
    kind: "mixed",
    baseline: "grey",
    fractions: [0, 0.005, 0.02, 0.1],
    pictures: 2,
    nodes: 6,
    positions: 4,
    quick: { pictures: 1, nodes: 4, positions: 3 },
  },
};

interface Settings {
  readonly out: string;
  readonly study: PicturesSettings;
}

function settings(given: Given): Settings {
  const [out, model, score] = [given["out"] ?? "out/pictures", given["model"] ?? "emotion", given["score"] ?? "probability"].map(String); // prettier-ignore
  if (!out) throw new ArgumentError("--out is empty");
  if (!model) throw new ArgumentError("--model is empty");
  if (score !== "probability" && score !== "logit")
    throw new ArgumentError(`--score: expected probability or logit, got "${score}"`);
  const usual = USUAL[model] ?? OWN;
  const { pictures, nodes, positions } = given["quick"] === true ? usual.quick : usual;
  const baseline = given["baseline"] ?? usual.baseline;
  if (baseline !== "black" && baseline !== "grey")
    throw new ArgumentError(`--baseline: expected black or grey, got "${baseline}"`);
  return {
    out,
    study: {
      model,
      kind: usual.kind,
      score,
      baseline,
      pictures: wholeNumber(given, "pictures", pictures, 1, 101),
      nodes: wholeNumber(given, "nodes", nodes, 1, 4096),
      positions: wholeNumber(given, "positions", positions, 2, 1001),
      examples: wholeNumber(given, "examples", 4, 1, 20),
      seed: wholeNumber(given, "seed", 0, 0, 2 ** 31),
      fractions: usual.fractions,
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
