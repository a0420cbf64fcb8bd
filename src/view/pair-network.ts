// The strongest pairs as lines between features on a circle.
import { assertAtLeast } from "../tensor/checks.ts";
import { type Node, placeNodes, widthFor } from "./circle-layout.ts";
import { notesMarkup } from "./notes.ts";
import { largest as largestOf } from "./numbers.ts";
import {
  type Interactions,
  type Pair,
  checkInteractions,
  checkPerFeature,
  checkTop,
  describePairs,
  pairText,
  rankedPairs,
  signedColor,
} from "./pairs.ts";
import { formatNumber } from "./scale.ts";
import { AXIS, type ChartText, drawing, element, ellipsis, heading, label, line, round, tooltip } from "./svg.ts";

export interface PairNetworkOptions extends ChartText, Interactions {
  /** [n]: the size and the sign of the discs. Default: discs of one size without sign. */
  attributions?: ArrayLike<number>;
  /** How many pairs, the strongest. Default 20. */
  top?: number;
  /** Pixels, at least 480. Default: 720, or more if there are too many names for a circle of that size; the height follows. */
  width?: number;
}

/** Up to this many features all are drawn, so that the networks of several examples look alike; of more, those with a line. */
const ALWAYS_SHOWN = 24;
const LARGEST = 13;
const WIDEST = 9;
/** Of the way from the middle of a line to the centre of the circle. */
const BEND = 0.55;

/**
 * Features on a circle; a line for each of the strongest pairs, its width in proportion to |G_ij + G_ji|, red where the two
 * together raise the score, blue where they lower it. The area of a disc is in proportion to |attribution|.
 *
 * @returns one SVG element as text; no name lies on another or outside, long ones are cut.
 * @throws ShapeError (values not n x n, attributions not n), NumericError (NaN or infinity), ArgumentError (options).
 */
export function pairNetwork(options: PairNetworkOptions): string {
  const { labels, attributions, top = 20, title } = options;
  const n = checkInteractions("pairNetwork", options);
  if (attributions) checkPerFeature("pairNetwork: attributions", attributions, labels);
  checkTop("pairNetwork", top);
  const pairs = rankedPairs(options, top).filter(({ value }) => value !== 0);
  const touched = new Set(pairs.flatMap(({ i, j }) => [i, j]));
  const features = Array.from(labels.keys()).filter((k) => n <= ALWAYS_SHOWN || touched.has(k));
  const width = options.width ?? Math.max(720, widthFor(features.length, LARGEST));
  assertAtLeast("pairNetwork: width", width, 480);

  const head = heading(title, width);
  const layout = placeNodes(features, width, head.bottom + 14, LARGEST);
  const places = new Map(layout.nodes.map((node) => [node.feature, node]));
  const most = Math.abs(pairs[0]?.value ?? 0);
  // The strongest last, on top of the others.
  const lines = [...pairs].reverse().map((pair) => {
    return curve(pair, labels, most, [places.get(pair.i)!, places.get(pair.j)!], layout.centre);
  });
  const largest = attributions ? largestOf(features.map((k) => attributions[k]!)) : 0;
  const discs = layout.nodes.map((node) => disc(node, labels[node.feature]!, attributions, largest));
  const notes = notesOf(options, { pairs, most, largest, shown: features.length });
  const key = legend(notes, layout.bottom + 24, width);
  const text = { title, description: options.description ?? describePairs(options) };
  return drawing(width, key.bottom, text, head.body + lines.join("") + discs.join("") + key.body);
}

/** A line that bends towards the centre, so that neighbours on the circle are joined visibly. */
function curve(
  pair: Pair,
  labels: readonly string[],
  most: number,
  [a, b]: readonly [Node, Node],
  [cx, cy]: readonly [number, number],
): string {
  const bent = (from: number, to: number, centre: number) => BEND * centre + ((1 - BEND) * (from + to)) / 2;
  const share = pair.value / most;
  const look = {
    d: `M${round(a.x)} ${round(a.y)}Q${round(bent(a.x, b.x, cx))} ${round(bent(a.y, b.y, cy))} ${round(b.x)} ${round(b.y)}`,
    fill: "none",
    stroke: signedColor(Math.sign(share) * 0.85),
    "stroke-width": Math.max(1, WIDEST * Math.abs(share)),
    "stroke-opacity": 0.75,
    "stroke-linecap": "round",
  };
  return element("path", look, tooltip(pairText(labels, pair)));
}

function disc(node: Node, name: string, attributions: ArrayLike<number> | undefined, largest: number): string {
  const value = attributions?.[node.feature];
  const r = value === undefined ? 6 : largest === 0 ? 3 : Math.max(3, LARGEST * Math.sqrt(Math.abs(value) / largest));
  const fill = value === undefined || value === 0 ? "#7a828d" : signedColor(Math.sign(value) * 0.85);
  const tip = tooltip(value === undefined ? name : `${name}: ${formatNumber(value)}`);
  const circle = element("circle", { cx: node.x, cy: node.y, r, fill });
  const { x, y, anchor, room, leader } = node.name;
  const thread = leader ? line([node.x, node.y], leader, { ...AXIS, "stroke-width": 0.75 }) : "";
  return thread + element("g", {}, tip + circle + label(x, y + 4.5, ellipsis(name, room), { anchor }));
}

interface Shown {
  readonly pairs: readonly Pair[];
  readonly most: number;
  readonly largest: number;
  readonly shown: number;
}

function notesOf({ labels, attributions }: PairNetworkOptions, { pairs, most, largest, shown }: Shown): string {
  const n = labels.length;
  const total = (n * (n - 1)) / 2;
  if (pairs.length === 0) return "No two features interact.";
  const left = n > shown ? `; ${n - shown} features without a line are left out` : "";
  const lines = `Lines: G_ij + G_ji, the widest ±${formatNumber(most)}; ${pairs.length} of ${total} pairs${left}.`;
  return attributions ? `${lines} Discs: attributions, the largest ±${formatNumber(largest)}.` : lines;
}

/** Which colour is which sign, then the notes. */
function legend(text: string, top: number, width: number): { body: string; bottom: number } {
  const signs = ([-1, 1] as const).map((sign, k) => {
    const x = 16 + 150 * k;
    const look = { stroke: signedColor(sign * 0.85), "stroke-width": 5 };
    return (
      line([x, top - 4], [x + 24, top - 4], look) +
      label(x + 32, top, sign < 0 ? "lowers the score" : "raises the score")
    );
  });
  const { body, bottom } = notesMarkup(text, top + 22, width);
  return { body: signs.join("") + body, bottom };
}
