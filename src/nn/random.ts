// A small seeded generator: the same key gives the same numbers on every machine.

/** A stream of random numbers. Streams made from different keys, or forked under different names, are independent. */
export interface Random {
  /** Uniform in [0, 1). */
  readonly uniform: () => number;
  /** Standard normal (Box-Muller). */
  readonly normal: () => number;
  /** A whole number in [0, n). */
  readonly below: (n: number) => number;
  /** 0..n-1 in random order. */
  readonly permutation: (n: number) => Int32Array;
  /** A stream of its own, which depends on the key and the name only, not on what was drawn before. */
  readonly fork: (name: string) => Random;
}

/** @param key any number or text */
export function random(key: number | string): Random {
  const state = seeds(String(key));
  const uniform = (): number => next(state) / 2 ** 32;
  const below = (n: number): number => Math.floor(uniform() * n);
  return {
    uniform,
    below,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    permutation(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = below(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
    fork: (name) => random(`${key}/${name}`),
  };
}

/** sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, passes its test suite. */
function next(s: Uint32Array): number {
  const t = (s[0]! + s[1]! + s[3]!) | 0;
  s[3] = s[3]! + 1;
  s[0] = s[1]! ^ (s[1]! >>> 9);
  s[1] = s[2]! + (s[2]! << 3);
  s[2] = ((s[2]! << 21) | (s[2]! >>> 11)) + t;
  return t >>> 0;
}

/** FNV-1a of the key, then rounds that are thrown away until the state is mixed. */
function seeds(key: string): Uint32Array {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  const state = Uint32Array.of(hash, Math.imul(hash, 0x9e3779b9), 0x243f6a88, 1);
  for (let i = 0; i < 16; i++) next(state);
  return state;
}
