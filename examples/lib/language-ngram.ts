// n-gram models with interpolated Kneser-Ney smoothing: what a network's perplexity is measured against.
import { ArgumentError } from "../../src/tensor/errors.ts";

/** Probability of `word` after the last order - 1 ids of `context`. */
export type WordModel = (context: ArrayLike<number>, word: number) => number;

/** Of one order: numbers by context and by context with a word. */
interface Counts {
  /** c(context, word) or, below the highest order, in how many contexts of one word more that pair occurs. */
  readonly pairs: Map<number, number>;
  /** Sum of `pairs` over the words. */
  readonly totals: Map<number, number>;
  /** How many words follow. */
  readonly followers: Map<number, number>;
  readonly discount: number;
}

/**
 * Interpolated Kneser-Ney (Kneser and Ney 1995; Chen and Goodman 1999), one discount n1 / (n1 + 2 n2) for each order, down to
 * the uniform distribution. Order 1 is the unigram model.
 * @param tokens ids below `vocabulary`
 * @param order 1 to 4, as long as vocabulary^order fits a whole number of 53 bits
 */
export function kneserNey(tokens: ArrayLike<number>, vocabulary: number, order: number): WordModel {
  if (!Number.isInteger(order) || order < 1 || vocabulary ** order > Number.MAX_SAFE_INTEGER)
    throw new ArgumentError(`kneserNey: expected an order of at least 1 with vocabulary^order < 2^53, got ${order}`);
  const levels: Counts[] = [];
  let grams = gramsOf(tokens, vocabulary, order);
  for (let n = order; n >= 1; n--) {
    levels[n - 1] = countsOf(grams, vocabulary);
    grams = continuations(grams, vocabulary ** (n - 1));
  }
  return (context, word) => {
    let probability = 1 / vocabulary;
    let key = 0;
    let weight = 1;
    for (const [n, { pairs, totals, followers, discount }] of levels.entries()) {
      if (n > context.length) break;
      if (n > 0) {
        key += context[context.length - n]! * weight;
        weight *= vocabulary;
      }
      const total = totals.get(key);
      if (total === undefined) break;
      const own = Math.max((pairs.get(key * vocabulary + word) ?? 0) - discount, 0);
      probability = (own + discount * followers.get(key)! * probability) / total;
    }
    return probability;
  };
}

/** How often each run of n ids occurs; the first id is the most significant digit of the key. */
function gramsOf(tokens: ArrayLike<number>, vocabulary: number, n: number): Map<number, number> {
  const grams = new Map<number, number>();
  for (let end = n; end <= tokens.length; end++) {
    let key = 0;
    for (let at = end - n; at < end; at++) key = key * vocabulary + tokens[at]!;
    grams.set(key, (grams.get(key) ?? 0) + 1);
  }
  return grams;
}

/** In how many different runs of n ids each of n - 1 ids is the end. */
function continuations(grams: ReadonlyMap<number, number>, weight: number): Map<number, number> {
  const shorter = new Map<number, number>();
  for (const key of grams.keys()) shorter.set(key % weight, (shorter.get(key % weight) ?? 0) + 1);
  return shorter;
}

function countsOf(pairs: Map<number, number>, vocabulary: number): Counts {
  const [totals, followers] = [new Map<number, number>(), new Map<number, number>()];
  let [once, twice] = [0, 0];
  for (const [key, count] of pairs) {
    const context = Math.floor(key / vocabulary);
    totals.set(context, (totals.get(context) ?? 0) + count);
    followers.set(context, (followers.get(context) ?? 0) + 1);
    if (count === 1) once++;
    if (count === 2) twice++;
  }
  // Without pairs that occur once the estimate is 0, and unseen words would be impossible.
  const discount = once === 0 ? 0.5 : once / (once + 2 * twice);
  return { pairs, totals, followers, discount };
}

/** exp of the mean of -ln P(word | all that stands before it in the text), over positions from `first` on. */
export function perplexity(model: WordModel, tokens: Int32Array, first: number, memory: number): number {
  let sum = 0;
  for (let at = first; at < tokens.length; at++) {
    sum -= Math.log(model(tokens.subarray(Math.max(0, at - memory), at), tokens[at]!));
  }
  return Math.exp(sum / (tokens.length - first));
}
