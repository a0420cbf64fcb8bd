// Pictures and tables of the molecules' report.
import { lineChart, type Figure, type ReportSection, type Table } from "../../src/view/index.ts";
import { moleculeSvg } from "./molecules-drawing.ts";
import {
  atomKinds,
  atomName,
  confusion,
  heaviestAtoms,
  pairName,
  partsOf,
  vanishing,
  type Explained,
} from "./molecules-statistics.ts";
import { isRight, type MoleculeStudy } from "./molecules-study.ts";
import { descending, largestMagnitude, mean, median } from "./statistics.ts";

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));
export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}\u00a0%`;
const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));
const nameOf = ({ compound }: Explained): string => `Row ${compound.row}, ${compound.active ? "active" : "inactive"}`;

// ---- how good ------------------------------------------------------------------------------------------------------

export function qualityTable({ qualities, split }: MoleculeStudy): Table {
  return {
    caption: `${split.test.length} held-out molecules (last column: the ${split.train.length} of training)`,
    columns: [
      "model",
      "ROC AUC",
      "95 % interval",
      "enrichment, best tenth",
      "accuracy",
      "log loss",
      "ROC AUC, training",
    ],
    rows: qualities.map(({ name, held, interval, train }) => [
      name,
      rounded(held.auc, 3),
      `${interval.low.toFixed(2)} to ${interval.high.toFixed(2)}`,
      rounded(held.enrichment),
      rounded(held.accuracy, 3),
      rounded(held.logLoss, 3),
      rounded(train.auc, 3),
    ]),
  };
}

export function curveFigure({ qualities }: MoleculeStudy): Figure {
  const x = [0, 100];
  return {
    content: lineChart({
      title: "How many actives are found among the best molecules",
      series: [
        ...qualities.map(({ name, curve }) => ({
          name,
          x: curve.screened.map((share) => 100 * share),
          y: curve.found.map((share) => 100 * share),
        })),
        { name: "chance", x, y: x },
      ],
      x: { label: "held-out molecules, best first", unit: "%" },
      y: { label: "actives found", unit: "%" },
    }),
    caption: "The steeper at the left, the fewer molecules have to be tried in the laboratory.",
  };
}

// ---- molecules -----------------------------------------------------------------------------------------------------

const STRONGEST = 5;

/** One section for each molecule that is drawn. */
export function exampleSections({ examples }: MoleculeStudy): ReportSection[] {
  return examples.map((example) => {
    const { compound, explanation } = example;
    const { logit, baseline, atoms, pairs } = explanation;
    const strongest = [...descending(atoms.map(Math.abs))].slice(0, STRONGEST);
    return {
      heading: `${nameOf(example)}: ${isRight(example) ? "right" : "wrong"}`,
      text:
        `${compound.smiles}\n\nThe network gives it a probability of ${percent(sigmoid(logit))} of being active (logit ` +
        `${logit.toFixed(2)}); without any feature, ${percent(sigmoid(baseline))} (logit ${baseline.toFixed(2)}).`,
      figures: [
        {
          content: moleculeSvg({
            title: nameOf(example),
            compound,
            atoms,
            pairs,
            numbered: strongest,
          }),
          caption:
            "Discs: atoms; bands: bonded pairs. Red raises the logit (active), blue lowers it; one scale for both. Numbers mark " +
            "the five strongest atoms.",
        },
      ],
      tables: [sumsTable(example), strongestTable(example, strongest)],
    };
  });
}

function sumsTable({ explanation }: Explained): Table {
  const { atoms, bonds, others } = partsOf(explanation);
  const difference = explanation.logit - explanation.baseline;
  return {
    caption: "Does it add up? (logit)",
    columns: ["atoms", "bonded pairs", "pairs two bonds apart", "sum", "logit - logit of the baseline", "error"],
    rows: [[atoms, bonds, others, atoms + bonds + others, difference, explanation.delta]],
  };
}

function strongestTable({ compound, graph, explanation }: Explained, strongest: readonly number[]): Table {
  const { atoms, pairs } = explanation;
  const symbol = (a: number): string => `${compound.atoms[a]!.element}${a + 1}`;
  const strongestPairs = [...descending(pairs.map(({ value }) => Math.abs(value)))].slice(0, STRONGEST);
  return {
    caption: "Strongest atoms and pairs",
    columns: ["atoms", "what it is", "attribution"],
    rows: [
      ...strongest.map((a) => [symbol(a), atomName(graph, a), atoms[a]!]),
      ...strongestPairs.map((m) => {
        const { ends, value } = pairs[m]!;
        return [ends.map(symbol).join(" and "), pairName(graph, m), value];
      }),
    ],
  };
}

// ---- saturation ----------------------------------------------------------------------------------------------------

export function pathFigures({ path, examples }: MoleculeStudy): Figure[] {
  const x = { label: "α, share of the features", domain: [0, 1] as const };
  const series = (values: readonly ArrayLike<number>[]) =>
    examples.map((example, k) => ({ name: nameOf(example), x: path.alphas, y: values[k]! }));
  const ofProbability = path.gradients.map((lengths, k) =>
    lengths.map((length, s) => {
      const p = sigmoid(path.logits[k]![s]!);
      return length * p * (1 - p);
    }),
  );
  const relative = ofProbability.map((own) => own.map((v) => v / (largestMagnitude(own) || 1)));
  return [
    {
      content: lineChart({
        title: "Probability of being active as the features grow",
        series: series(path.logits.map((own) => own.map(sigmoid))),
        x,
        y: { label: "P(active)", domain: [0, 1] },
      }),
      caption: "From no features (α = 0) to those of the molecule (α = 1).",
    },
    {
      content: lineChart({
        title: "Length of that probability's gradient along the same path",
        series: series(relative),
        x,
        y: { label: "share of its largest value" },
      }),
      caption: "By all features of atoms and pairs. The plain gradient is the right end.",
    },
  ];
}

export function vanishingTable({ sample, shallow, settings }: MoleculeStudy): Table {
  const rows = [
    { name: `${settings.training.layers} layers`, explained: sample },
    { name: "1 layer", explained: shallow },
  ];
  return {
    caption: `Features of ${sample.length} held-out molecules`,
    columns: [
      "network",
      "features",
      "gradient exactly 0",
      "gradient below 1 % of the largest",
      "of these, IG above 1 % of the largest",
      "their share of |IG|",
      "gradient and IG of opposite signs",
    ],
    rows: rows.map(({ name, explained }) => {
      const found = vanishing(explained.map(({ explanation }) => explanation));
      const { features, zero, small, hidden, share, opposed } = found;
      return [name, features, zero, small, hidden, percent(share), percent(opposed / features)];
    }),
  };
}

// ---- weight --------------------------------------------------------------------------------------------------------

const HEAVIEST = 12;

export const heavyTable = ({ sample }: MoleculeStudy): Table => ({
  caption: `Atoms with the most weight in their molecule, of ${sample.length} held-out molecules`,
  columns: ["row", "atom", "what it is", "attribution", "times an even share"],
  rows: heaviestAtoms(sample)
    .slice(0, HEAVIEST)
    .map(({ explained, atom, value, weight }) => [
      `${explained.compound.row}`,
      `${atom + 1} of ${explained.compound.atoms.length}`,
      atomName(explained.graph, atom),
      rounded(value, 3),
      rounded(weight, 1),
    ]),
});

export const kindTable = ({ sample }: MoleculeStudy): Table => ({
  caption: "Kinds of atoms by their mean weight (those in five molecules or more)",
  columns: ["what it is", "atoms", "molecules", "mean attribution", "mean times an even share"],
  rows: atomKinds(sample, 5)
    .slice(0, HEAVIEST)
    .map((kind) => [kind.name, kind.count, kind.molecules, rounded(kind.mean, 3), rounded(kind.meanWeight)]),
});

/** Atoms that are bonded to nothing, in all of the table. */
export function isolatedTable({ isolated }: MoleculeStudy): Table {
  const heavy = heaviestAtoms(isolated);
  return {
    caption: "Atoms without neighbours, in all of the table",
    columns: ["row", "what it is", "attribution", "times an even share", "rank among the molecule's atoms"],
    rows: heavy
      .filter(({ explained, atom }) => explained.graph.bonds.every((ends) => !ends.includes(atom)))
      .map(({ explained, atom, value, weight }) => {
        const rank = heavy.filter((other) => other.explained === explained && other.weight > weight).length + 1;
        return [
          `${explained.compound.row}`,
          atomName(explained.graph, atom),
          rounded(value, 3),
          rounded(weight),
          `${rank} of ${explained.compound.atoms.length}`,
        ];
      }),
  };
}

export function confusionTable({ sample, shallow, settings }: MoleculeStudy): Table {
  return {
    caption: "Atoms with the same attribution as another one of their molecule (to 1e-5 of the largest)",
    columns: ["network", "atoms", "the other is in the same place by symmetry", "the other is in another place"],
    rows: [
      { name: `${settings.training.layers} layers`, explained: sample },
      { name: "1 layer", explained: shallow },
    ].map(({ name, explained }) => {
      const { atoms, alike, confused } = confusion(explained);
      return [name, atoms, alike, confused];
    }),
  };
}

/** Sums of parts and errors over the sample. */
export function partsTable({ sample }: MoleculeStudy): Table {
  const parts = sample.map(({ explanation }) => partsOf(explanation));
  const row = (name: string, values: readonly number[]): [string, number, number, number] => [
    name,
    mean(values),
    median(values),
    mean(values.map(Math.abs)),
  ];
  return {
    caption: `Over ${sample.length} held-out molecules (logit)`,
    columns: ["sum of", "mean", "median", "mean magnitude"],
    rows: [
      row(
        "atoms",
        parts.map((p) => p.atoms),
      ),
      row(
        "bonded pairs",
        parts.map((p) => p.bonds),
      ),
      row(
        "pairs two bonds apart",
        parts.map((p) => p.others),
      ),
      row(
        "logit - logit of the baseline",
        sample.map(({ explanation: e }) => e.logit - e.baseline),
      ),
      row(
        "error of the sum",
        sample.map(({ explanation }) => explanation.delta),
      ),
    ],
  };
}
