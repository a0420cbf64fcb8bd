// The data set that the tabular example takes when none is given: Wisconsin diagnostic breast cancer (Street, Wolberg
// and Mangasarian 1993), as scikit-learn carries it.
import { readFile } from "node:fs/promises";
import { FormatError } from "../../src/tensor/errors.ts";
import type { Dataset } from "./dataset.ts";
import { fetchDebianFile, type DebianFileOptions } from "./debian.ts";

const PATH = "usr/lib/python3/dist-packages/sklearn/datasets/data/breast_cancer.csv";
const MEASURES = [
  "radius",
  "texture",
  "perimeter",
  "area",
  "smoothness",
  "compactness",
  "concavity",
  "concave points",
  "symmetry",
  "fractal dimension",
];
/** Over the cell nuclei of a picture: their mean, its standard error, and the mean of the three largest. */
const FEATURES = ["mean", "error", "worst"].flatMap((kind) =>
  MEASURES.map((measure) => (kind === "error" ? `${measure} error` : `${kind} ${measure}`)),
);

export async function breastCancer(options?: DebianFileOptions): Promise<Dataset> {
  const instead = ", or give a table of your own with --data FILE.csv --label NAME";
  return parseBreastCancer(
    await readFile(await fetchDebianFile("python3-sklearn", PATH, { instead, ...options }), "utf8"),
  );
}

/**
 * The first line holds numbers of rows and features and the names of the classes 0 and 1; names of features are in the
 * data set's description only.
 * @throws FormatError when the text is not that table
 */
export function parseBreastCancer(text: string): Dataset {
  const [head = "", ...lines] = text.trim().split(/\r?\n/);
  const rows = lines.map((line) => line.split(",").map(Number));
  const [count, width] = head.split(",").map(Number);
  const fits = rows.length === count && width === FEATURES.length;
  if (!fits || rows.some((row) => row.length !== width + 1 || row.some((v) => !Number.isFinite(v)))) {
    throw new FormatError(
      `breast_cancer.csv: expected 569 rows of ${FEATURES.length} features, got the head "${head}"`,
    );
  }
  return {
    name: "Wisconsin diagnostic breast cancer",
    source: "Debian package python3-sklearn",
    features: FEATURES,
    rows: rows.length,
    x: Float64Array.from(rows.flatMap((row) => row.slice(0, -1))),
    // 0 is malignant there; the finding is the positive class here.
    labels: Uint8Array.from(rows, (row) => 1 - row.at(-1)!),
    classes: { positive: "malignant", negative: "benign" },
    notes: [
      "569 fine needle aspirates of breast masses; each feature is the mean, its standard error, or the mean of " +
        "the three largest values (worst) of a measure over the cell nuclei of a digitised picture.",
    ],
  };
}
