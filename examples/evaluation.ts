// npm run example:evaluation -- --help
import { ArgumentError } from "../src/tensor/errors.ts";
import { nameList, runExample, wholeNumber, writeStudy, type Given, type Tools } from "./lib/command.ts";
import { evaluationReport, resultJson, summaryText, type Run } from "./lib/evaluation-report.ts";
import { evaluationStudy, type EvaluationSettings } from "./lib/evaluation-study.ts";
import type { PictureKind } from "./lib/pictures-data.ts";

const USAGE = `Which attribution method is best, and by what? Gradient, Integrated Gradients (black; white and black), Guided IG,
shapleyIG, CGI and XRAI, beside two maps that know nothing of the network, by the metrics that papers print.

  npm run example:evaluation -- [options]

  --models LIST   emotion (default): faces; detypify: hand-drawn symbols; or one of your own for photographs:
                  FILE.onnx, or the folder of a TensorFlow.js model, that gives logits. Several with commas
  --pictures N    of each network (default 6 faces, 3 symbols or 3 photographs)
  --nodes N       of Integrated Gradients (default 20)
  --steps N       of Guided IG (default 40)
  --coalition-nodes N  on the path from each coalition of shapleyIG (default 2)
  --stages N      of removal, between none and all (default 8)
  --samples N     random sets of patches for infidelity and sensitivity-n (default 12; 0: neither)
  --variants N    of each picture for max-sensitivity, each as dear as all explanations (default 0: not measured)
  --seed N        of random maps, coalitions and sets (default 0)
  --quick         2 pictures, few nodes and stages, no random sets
  --out FOLDER    where the files go (default out/evaluation)
  --help          this text

Models and pictures are downloaded once and kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

const KINDS: Readonly<Record<string, PictureKind>> = {
  emotion: "faces",
  detypify: "symbols",
  inception: "mixed",
};
const PICTURES: Readonly<Record<PictureKind, readonly [some: number, all: number]>> = {
  faces: [6, 101],
  symbols: [3, 9],
  photographs: [3, 8],
  mixed: [2, 9],
};

interface Settings {
  readonly out: string;
  readonly study: EvaluationSettings;
}

function settings(given: Given): Settings {
  const quick = given["quick"] === true;
  const out = String(given["out"] ?? "out/evaluation");
  if (out === "") throw new ArgumentError("--out is empty");
  const number = (name: string, usual: number, fast: number, least: number, most: number): number =>
    wholeNumber(given, name, quick ? fast : usual, least, most);
  const models = (nameList(given, "models") ?? ["emotion"]).map((model) => {
    const kind = KINDS[model] ?? "photographs";
    const [some, all] = PICTURES[kind];
    return { model, kind, pictures: number("pictures", some, 2, 1, all) };
  });
  return {
    out,
    study: {
      models,
      nodes: number("nodes", 20, 5, 1, 4096),
      guidedSteps: number("steps", 40, 6, 1, 10_000),
      coalitionNodes: number("coalition-nodes", 2, 1, 1, 1000),
      stages: number("stages", 8, 2, 1, 1000),
      samples: number("samples", 12, 0, 0, 10_000),
      variants: number("variants", 0, 0, 0, 1000),
      seed: number("seed", 0, 0, 0, 2 ** 31),
    },
  };
}

async function run({ out, study: chosen }: Settings, { device, progress, signal }: Tools): Promise<void> {
  const started = performance.now();
  const study = await evaluationStudy(chosen, { device, signal, note: progress.note, onProgress: progress.update });
  const done: Run = { study, adapter: device.info.description, seconds: (performance.now() - started) / 1000 };
  await writeStudy(
    out,
    { report: await evaluationReport(done), numbers: resultJson(done), summary: summaryText(done) },
    progress,
  );
}

const text = { type: "string" } as const;

await runExample({
  name: "example:evaluation",
  usage: USAGE,
  options: {
    models: text,
    pictures: text,
    nodes: text,
    steps: text,
    "coalition-nodes": text,
    stages: text,
    samples: text,
    variants: text,
    seed: text,
    quick: { type: "boolean" },
    out: text,
  },
  settings,
  run,
});
