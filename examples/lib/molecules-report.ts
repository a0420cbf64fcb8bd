// The study of molecules as text, page and file.
import { textTable } from "../../src/cli/table.ts";
import { formatNumber, report } from "../../src/view/index.ts";
import { SOURCE } from "./molecules-data.ts";
import { ATOM_FEATURES, PAIR_FEATURES, REACH } from "./molecules-features.ts";
import {
  confusionTable,
  curveFigure,
  exampleSections,
  heavyTable,
  isolatedTable,
  kindTable,
  partsTable,
  pathFigures,
  percent,
  qualityTable,
  sigmoid,
  vanishingTable,
} from "./molecules-figures.ts";
import { atomKinds, confusion, heaviestAtoms, partsOf, vanishing } from "./molecules-statistics.ts";
import { BITS, type ModelQuality, type MoleculeStudy } from "./molecules-study.ts";
import { largestMagnitude, mean } from "./statistics.ts";

export interface Run {
  readonly study: MoleculeStudy;
  readonly adapter: string;
  readonly seconds: number;
}

export function summaryText({ study }: Run): string {
  const { columns, rows } = qualityTable(study);
  const texts = rows.map((row) => row.map((cell) => (typeof cell === "number" ? formatNumber(cell) : String(cell))));
  const { failures } = study.table;
  const left = failures.length === 0 ? "" : `\n\n${failures.length} rows were left out:\n${failureLines(study)}`;
  return `${textTable(columns, texts)}\n\nlargest |error| of a sum: ${formatNumber(largestError(study))}${left}`;
}

export async function moleculeReport(run: Run): Promise<string> {
  const { study } = run;
  return report({
    title: "Which atoms make a molecule active?",
    text: introduction(study),
    figures: [curveFigure(study)],
    tables: [qualityTable(study)],
    sections: [
      ...exampleSections(study),
      {
        heading: "Saturation",
        text: saturationText(study),
        figures: pathFigures(study),
        tables: [vanishingTable(study)],
      },
      { heading: "Atoms and pairs", text: partsText(study), tables: [partsTable(study)] },
      {
        heading: "Undue weight",
        text: weightText(study),
        tables: [heavyTable(study), kindTable(study), ...(study.isolated.length > 0 ? [isolatedTable(study)] : [])],
      },
      { heading: "What one layer cannot tell apart", text: confusionText(study), tables: [confusionTable(study)] },
      { heading: "What was done", text: procedure(study), facts: facts(run) },
    ],
  });
}

// ---- words ---------------------------------------------------------------------------------------------------------

function introduction({ qualities, split, table }: MoleculeStudy): string {
  const [deep, , baseline] = qualities as [ModelQuality, ModelQuality, ModelQuality];
  const difference = deep.held.auc - baseline.held.auc;
  const verdict =
    difference > 0.02
      ? "The network is the better one on these molecules."
      : difference > -0.02
        ? "The two are about as good: nothing says that the task needs a graph network."
        : "So the network is the worse one: what is explained here are the predictions of a modest model, and its attributions " +
          "show what it learnt, not what the enzyme sees.";
  return (
    `A graph network was trained to tell which of ${table.compounds.length} molecules inhibit HIV integrase, an enzyme. Integrated Gradients ` +
    `share out its logit to the atoms and to the pairs of atoms of a molecule, from a baseline without any feature, as in "Gradients of ` +
    `Counterfactuals" (arXiv 1611.02639), whose network and data were others.\n\n` +
    `How good is it? On ${split.test.length} held-out molecules the area under its ROC curve is ${deep.held.auc.toFixed(3)}, and among the ` +
    `tenth with the best scores there are ${deep.held.enrichment.toFixed(1)} times as many actives as by chance. A logistic regression on ` +
    `circular fingerprints, which knows which surroundings of atoms occur, up to four bonds, and nothing else, comes to ` +
    `${baseline.held.auc.toFixed(3)} and ${baseline.held.enrichment.toFixed(1)}. ${verdict}\n\n` +
    `The split is at random: relatives of most held-out molecules are in the training part. New chemistry would be harder for both models.`
  );
}

function saturationText({ sample }: MoleculeStudy): string {
  const { features, zero, small, hidden, share } = vanishing(sample.map(({ explanation }) => explanation));
  return (
    `All features of a molecule are multiplied by α. Where the probability is flat at α = 1, its gradient there says little of what made ` +
    `it what it is. The gradient of the logit does not flatten in that way, but single features of a ReLU network can still lose theirs, or nearly so: ` +
    `${zero.toLocaleString("en")} of the ${features.toLocaleString("en")} features have a gradient of exactly 0 at the molecule, and ` +
    `${small.toLocaleString("en")} one below a hundredth of the molecule's largest. Of these, ${hidden.toLocaleString("en")} have an ` +
    `attribution by Integrated Gradients above a hundredth of the largest; features with small gradients hold ${percent(share)} of ` +
    `all |attribution|. Whoever looks at plain gradients does not see them.`
  );
}

function partsText({ sample }: MoleculeStudy): string {
  const parts = sample.map(({ explanation }) => partsOf(explanation));
  const magnitude = (key: "atoms" | "bonds" | "others"): number => mean(parts.map((p) => Math.abs(p[key])));
  const empty = sample.map(({ explanation }) => sigmoid(explanation.baseline));
  const total = magnitude("atoms") + magnitude("bonds") + magnitude("others");
  return (
    `Of the magnitudes of the three sums, atoms have ${percent(magnitude("atoms") / total)}, bonded pairs ` +
    `${percent(magnitude("bonds") / total)}, and pairs two bonds apart ${percent(magnitude("others") / total)}. These are sums over ` +
    `different numbers of things that may cancel: they say where the network reads, not where chemistry happens. The baseline has as many atoms ` +
    `as the molecule, whose features are all 0: what the number of atoms and of pairs does by itself is part of its logit. It is not neutral: ` +
    `the network gives such empty molecules probabilities from ${percent(Math.min(...empty))} to ${percent(Math.max(...empty))} of being active, ` +
    `and the logit can go most of its way near α = 0, where no molecule of training ever was.`
  );
}

function weightText({ sample, isolated }: MoleculeStudy): string {
  const [heaviest] = heaviestAtoms(sample);
  const [kind] = atomKinds(sample, 5);
  return (
    `An atom that has many times an even share of its molecule's |attribution| deserves a look: a chemist can say whether it is a reason or an ` +
    `accident of the data. The heaviest has ${heaviest!.weight.toFixed(1)} times an even share. ` +
    (kind
      ? `The kind with the largest mean weight is "${kind.name}", ${kind.meanWeight.toFixed(1)} times an even share over ${kind.count} ` +
        `atoms of ${kind.molecules} molecules. `
      : "") +
    (isolated.length > 0
      ? `An atom without any bond, a counter-ion or water, cannot take part in binding as a part of the molecule; whatever it gets comes ` +
        `from the atom's features alone. ${isolated.length === 1 ? "One molecule" : `${isolated.length} molecules`} of the table ` +
        `${isolated.length === 1 ? "has" : "have"} such atoms, in the training part or in the held-out one.`
      : "No molecule of the table has an atom without bonds.") +
    ` Padding has no attribution at all: it is masked, and the tests check it.`
  );
}

function confusionText({ sample, shallow, settings }: MoleculeStudy): string {
  const { layers } = settings.training;
  const [deep, flat] = [confusion(sample), confusion(shallow)];
  const near = confusion(sample, layers).confused;
  return (
    `Attributions show what a network cannot see. In one weave layer an atom meets the features of its pairs, but neither those of other atoms nor ` +
    `those of other pairs: atoms with the same features and the same kinds of pairs must contribute alike, whatever they are bonded to. ` +
    `With one layer ${percent(flat.confused / flat.atoms)} of the atoms share their attribution ` +
    `with an atom in another place of the molecule, with ${layers} layers ${percent(deep.confused / deep.atoms)}, where ` +
    `${near} of these ${deep.confused} atoms differ within ${layers * REACH} bonds and the others only further away. Atoms in ` +
    `the same place by symmetry must have the same attribution in both. (Stereochemistry is not counted: the networks do not see it.)`
  );
}

function procedure({ settings: s, split, table, sample, examples }: MoleculeStudy): string {
  const { training: t } = s;
  const active = table.compounds.filter((c) => c.active).length;
  return (
    `Data: ${SOURCE.file} of the npm package ${SOURCE.package} ${SOURCE.version}, ${table.compounds.length} molecules, ${active} active; the ` +
    `labels are the file's, whose threshold on pIC50 is not stated. ${table.failures.length} rows could not be read. A quarter of each class ` +
    `is held out at random (seed ${t.seed}) and took no part in training. Molecules were read by OpenChemLib. Hydrogens are counted at their atoms; ` +
    `stereochemistry is not used.\n\n` +
    `Features, each 0 or 1: of atoms ${ATOM_FEATURES.join(", ")}; of pairs at most ${REACH} bonds apart ${PAIR_FEATURES.join(", ")}. Hybridisation is ` +
    `from multiple bonds alone.\n\n` +
    `Network: ${t.layers} weave layers (arXiv 1603.00856) with ${t.atoms} features of atoms and ${t.pairs} of pairs, ReLU; the sum over the atoms; a ` +
    `dense layer of ${t.atoms}; one logit. What the last layer makes of pairs is not used. ${t.steps} steps of AdamW with 16 molecules each (learning rate ` +
    `${t.learningRate} falling linearly, weight decay ${t.weightDecay}), ${((16 * t.steps) / split.train.length).toFixed(0)} times each molecule. Number of ` +
    `steps, widths and the baseline's weight decay were set by a few trials on seed 0's split, so that its held-out numbers are a little flattering; other seeds make other splits. ` +
    `The network of one layer differs in that alone. The intervals are of the bootstrap over held-out ` +
    `molecules; they do not cover how training differs with other initial weights.\n\n` +
    `Baseline model: logistic regression on circular fingerprints of ${BITS} bits (two rounds over the same atoms and pairs), AdamW with weight decay 1.\n\n` +
    `Attributions: to the features of ${sample.length} held-out molecules, ${s.nodes} nodes where the logit changes most (rule "equidistributed"), summed over the features of an atom, or of a pair ` +
    `(both orders together). The masks, which say how many atoms there are and which pairs take part, stay as they are. The ${examples.length} ` +
    `molecules above are not chosen by hand: the active ones that the network is rightly most sure of, the inactive one, and the one where it is most ` +
    `wrong, of these ${sample.length}. They flatter the network; the statistics do not.\n\n` +
    `What differs from the paper: its network was trained on many large collections of assays at once, here it is a single target with ` +
    `${split.train.length} molecules; its networks reduce atoms by a fuzzy histogram, here by a sum. Statistics over many molecules, and weights of kinds of atoms, are additions.`
  );
}

// ---- numbers -------------------------------------------------------------------------------------------------------

const largestError = ({ sample, shallow }: MoleculeStudy): number =>
  largestMagnitude([...sample, ...shallow].map(({ explanation }) => explanation.delta));

const failureLines = ({ table }: MoleculeStudy): string => table.failures.map(({ message }) => message).join("\n");

function facts({ study, adapter, seconds }: Run) {
  const { trained, settings, table } = study;
  return {
    "training steps": settings.training.steps,
    "training time": `${trained.seconds.toFixed(0)} s${trained.cached ? " (weights out of the cache)" : ""}`,
    "last training loss": trained.losses.at(-1) ?? NaN,
    "rows left out": table.failures.length,
    "largest |error| of a sum": largestError(study),
    "time in all": `${seconds.toFixed(1)} s`,
    adapter,
  };
}

export function resultJson({ study, adapter, seconds }: Run): unknown {
  const { settings, table, split, qualities, trained, sample, shallow, examples, path } = study;
  const statistics = (explained: typeof sample) => ({
    vanishing: vanishing(explained.map(({ explanation }) => explanation)),
    confusion: confusion(explained),
  });
  return {
    settings,
    data: {
      source: SOURCE,
      molecules: table.compounds.length,
      failures: table.failures.map(({ message }) => message),
      train: split.train.length,
      held: split.test.length,
    },
    qualities: qualities.map(({ name, held, interval, train }) => ({ name, held, interval, train })),
    trained,
    deep: statistics(sample),
    shallow: statistics(shallow),
    largestError: largestError(study),
    kinds: atomKinds(sample, 5),
    examples: examples.map(({ compound, explanation }, k) => ({
      row: compound.row,
      active: compound.active,
      smiles: compound.smiles,
      ...explanation,
      atoms: Array.from(explanation.atoms),
      features: undefined,
      path: { alphas: path.alphas, logits: Array.from(path.logits[k]!) },
    })),
    adapter,
    seconds,
  };
}
