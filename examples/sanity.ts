// npm run example:sanity -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import { runExample, wholeNumber, writeStudy, type Given, type Tools } from "./lib/command.ts";
import { emotionOnFaces } from "./lib/sanity-emotion.ts";
import { fashionMnist } from "./lib/sanity-fashion.ts";
import { resultJson, sanityReport, summaryText, type Run } from "./lib/sanity-report.ts";
import { MODES, sanityStudy, type Mode, type StudySettings } from "./lib/sanity-study.ts";

const USAGE = `Do maps change when a network loses what it learnt? Sanity checks of eight methods on two networks.

  npm run example:sanity -- [options]

A small network is trained on Fashion-MNIST (Debian's package dataset-fashion-mnist, downloaded once, 31 MB); the other
one recognises emotions (npm package @vladmandic/human, 1 MB) on faces (Debian's package python3-skimage, 21 MB). Their
layers are made random, in turn and one at a time, and the small one also learns permuted labels. Compared are the maps
of gradient, gradient x input, Integrated Gradients and Guided IG, each with and without competition between labels.

  --pictures N   pictures of clothes, each of another class (default 6, at most 10)
  --faces N      faces (default 1; most of the time goes into these)
  --nodes N      of Integrated Gradients for the clothes (default 12; a third for faces)
  --steps N      of Guided IG for the clothes (default 12; a third for faces)
  --training N   training steps of the small network (default 800)
  --seed N       of weights and orders (default 0)
  --retrain      train even if there are weights for these settings in the cache
  --quick        fewer pictures, steps, layers and methods, cascading only: about a minute
  --out FOLDER   where the files go (default out/sanity)
  --help         this text

Data and weights are kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

/** What a quick look at the larger network does without. */
const SLOW = ["competitive gradient", "competitive Guided IG"];

interface Settings {
  readonly out: string;
  readonly retrain: boolean;
  readonly faces: { readonly faces: number; readonly coarse: boolean };
  readonly study: StudySettings;
}

function settings(given: Given): Settings {
  const quick = given["quick"] === true;
  const out = String(given["out"] ?? "out/sanity");
  if (out === "") throw new ArgumentError("--out is empty");
  const nodes = wholeNumber(given, "nodes", quick ? 4 : 12, 2, 1000);
  const guidedSteps = wholeNumber(given, "steps", quick ? 4 : 12, 2, 10_000);
  const seed = wholeNumber(given, "seed", 0, 0, 2 ** 31);
  const modes: readonly Mode[] = quick ? ["cascading"] : MODES;
  const fewer = (n: number): number => Math.max(2, Math.ceil(n / 3));
  return {
    out,
    retrain: given["retrain"] === true,
    faces: { faces: wholeNumber(given, "faces", 1, 1, 101), coarse: quick },
    study: {
      train: quick ? 2000 : 10_000,
      held: 2000,
      training: {
        steps: wholeNumber(given, "training", quick ? 150 : 800, 1, 1_000_000),
        batch: 64,
        learningRate: 0.002,
      },
      pictures: wholeNumber(given, "pictures", quick ? 2 : 6, 1, 10),
      cnn: { nodes, guidedSteps, modes },
      permuted: quick ? { examples: 64, steps: 200 } : { examples: 160, steps: 500 },
      real: { nodes: fewer(nodes), guidedSteps: fewer(guidedSteps), modes, without: quick ? SLOW : [] },
      seed,
    },
  };
}

async function run(
  { out, retrain, faces, study: chosen }: Settings,
  { device, progress, signal }: Tools,
): Promise<void> {
  const started = performance.now();
  const { note } = progress;
  const data = await fashionMnist(chosen, { note, signal });
  const tools = { device, signal, note, onProgress: progress.update, again: retrain };
  const study = await sanityStudy(data, () => emotionOnFaces(faces, tools), chosen, tools);
  const done: Run = { study, adapter: device.info.description, seconds: (performance.now() - started) / 1000 };
  await writeStudy(
    out,
    { report: await sanityReport(done), numbers: resultJson(done), summary: summaryText(done) },
    progress,
  );
}

await runExample({
  name: "example:sanity",
  usage: USAGE,
  options: {
    pictures: { type: "string" },
    faces: { type: "string" },
    nodes: { type: "string" },
    steps: { type: "string" },
    training: { type: "string" },
    seed: { type: "string" },
    retrain: { type: "boolean" },
    quick: { type: "boolean" },
    out: { type: "string" },
  },
  settings,
  run,
});
