// Which kernel computes a matrix product, and the numbers it gets.
//
// Software adapters run tiles of registers without barriers; every load is dear there, so that large tiles win as long as
// there are enough of them for all cores, and invocations share loads where subgroups let them. Real GPUs share the operands of a tile through workgroup memory, and where
// tiles are few the invocations of a workgroup split the inner extent. Dimensions and layouts are uniforms: few pipelines
// serve all products of a network.
import type { Capabilities, KernelCall } from "../graph/primitive.ts";
import type { Planes } from "./planes.ts";
import registersWgsl from "./wgsl/matmul.wgsl";
import quadsWgsl from "./wgsl/matmul_quads.wgsl";
import smallWgsl from "./wgsl/matmul_small.wgsl";
import sharedWgsl from "./wgsl/matmul_shared.wgsl";

/** [planes, M, K] x [planes, K, N]; `ta`, `tb`: the operand is stored transposed. */
export interface Product {
  readonly planes: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly ta: boolean;
  readonly tb: boolean;
  readonly a: Planes;
  readonly b: Planes;
}

/** Rows and columns of an invocation's tile in wgsl/matmul.wgsl, from the largest down. */
const REGISTERS = [
  [8, 16],
  [8, 8],
  [4, 16],
  [8, 4],
  [4, 4],
] as const;
/** Rows of an invocation's tile in wgsl/matmul_quads.wgsl, which has 16 columns. */
const QUADS = [8, 4] as const;
/** Invocations along one side of a tile in wgsl/matmul_shared.wgsl, each with a 4 x 4 block. */
const SHARED = [16, 8, 4] as const;
/** Invocations of a workgroup of wgsl/matmul.wgsl: few, so that small products spread over the cores. */
const LANES = 8;
/** What wgsl/matmul.wgsl loads from operands that it can read four elements at a time. */
const FOUR = "vec4<f32>";
/** Register tiles that a software adapter computes at once: the lanes of one vector instruction. */
const FULL_REGISTERS = 4;
/** What a row or column of a register tile costs (a load), in elements of the tile (a multiply-add). */
const LOAD_COST = 9;
/** What it costs to load a quarter of 16 columns and to hand them round, in rows. */
const QUAD_COLUMNS = 5;
/** Operations for which a tile with few rows takes no longer than the other would take to be built. */
const FEW_ROWS_FLOPS = 1.4e9;
/** Operations that take a fraction of a millisecond with any tile. */
const SMALL_PRODUCT = 1e5;
/** Workgroups that fill most of a GPU. */
const FULL_SHARED = 32;

const tilesOf = ({ planes, m, n }: Product, rows: number, columns: number): number =>
  planes * Math.ceil(m / rows) * Math.ceil(n / columns);

const uniformsOf = ({ m, n, k, planes, a, b, ta, tb }: Product): number[] => [
  ...[m, n, k, planes, a.div, a.mod, b.div, b.mod],
  ...[Number(ta), Number(tb)],
];

const flopsOf = ({ planes, m, n, k }: Product): number => 2 * planes * m * n * k;

function registers(product: Product, [TM, TN]: readonly [number, number]): KernelCall {
  const { m, n, ta, tb } = product;
  // The contiguous axis of the operand is one of the result's, so that a tile needs neighbours along it at once. Only for
  // the tile of large products: every combination is one more pipeline.
  const large = TM === 8 && TN === 16;
  const [wideA, wideB] = [large && ta && m % 4 === 0, large && !tb && n % 4 === 0];
  return {
    wgsl: registersWgsl,
    uniforms: uniformsOf(product),
    workgroups: Math.ceil(tilesOf(product, TM, TN) / LANES),
    flops: flopsOf(product),
    constants: { TM, TN, ...(wideA && { UNIT_A: 4, LoadA: FOUR }), ...(wideB && { UNIT_B: 4, LoadB: FOUR }) },
  };
}

const fitsQuads = ({ m, n, k, ta }: Product): boolean => (n | k | (ta ? m : 0)) % 4 === 0;

function quads(product: Product, TM: number): KernelCall {
  const { ta, tb } = product;
  return {
    wgsl: quadsWgsl,
    uniforms: uniformsOf(product),
    workgroups: tilesOf(product, 4 * TM, 16),
    flops: flopsOf(product),
    constants: { TM, TA: Number(ta), TB: Number(tb) },
    needs: "quads",
  };
}

/** @param GROUP how many terms a kernel adds up first, that this one is to have the results of */
const small = (product: Product, GROUP: number): KernelCall => ({
  wgsl: smallWgsl,
  uniforms: uniformsOf(product),
  workgroups: Math.ceil(tilesOf(product, 4, 4) / LANES),
  flops: flopsOf(product),
  constants: { GROUP },
});

function shared(product: Product, G: number): KernelCall {
  return {
    wgsl: sharedWgsl,
    uniforms: uniformsOf(product),
    workgroups: tilesOf(product, 4 * G, 4 * G),
    flops: flopsOf(product),
    constants: { G },
  };
}

/** The kernel for a product on an adapter that has not been measured. */
export function matmulCall(product: Product, { software, quads: four }: Capabilities): KernelCall {
  if (!software) return shared(product, sharedTile(product));
  if (flopsOf(product) < SMALL_PRODUCT) return small(product, 4);
  const tile = leastOf(REGISTERS, (size) => registerCost(product, size));
  const rows = leastOf(QUADS, (size) => quadCost(product, size));
  if (!(four && fitsQuads(product) && quadCost(product, rows) < registerCost(product, tile)))
    return { ...registers(product, tile), quick: small(product, 2) };
  const [, few] = QUADS;
  const lower = { ...quads(product, few), quick: small(product, 4), upTo: FEW_ROWS_FLOPS };
  return rows === few ? lower : { ...quads(product, rows), quick: lower };
}

const leastOf = <T>(list: readonly T[], cost: (item: T) => number): T =>
  list.reduce((best, item) => (cost(item) < cost(best) ? item : best));

/** Estimated time, by costs measured on SwiftShader; too few tiles leave lanes idle. */
const registerCost = (product: Product, [rows, columns]: readonly [number, number]): number =>
  Math.max(FULL_REGISTERS, tilesOf(product, rows, columns)) * (rows * columns + LOAD_COST * (rows + columns));

const quadCost = (product: Product, rows: number): number =>
  FULL_REGISTERS * tilesOf(product, 4 * rows, 16) * (16 * rows + LOAD_COST * (rows + QUAD_COLUMNS));

/** The largest tile that fills the GPU and is not mostly beyond the edge; a smaller one splits the inner extent. */
function sharedTile(product: Product): number {
  const thin = Math.min(product.m, product.n);
  return SHARED.find((g) => thin > 2 * g && tilesOf(product, 4 * g, 4 * g) >= FULL_SHARED) ?? 4;
}

/** All variants by name; given an adapter, those that it can run and that are worth measuring there. */
export function matmulVariants(product: Product, capabilities?: Capabilities): Readonly<Record<string, KernelCall>> {
  const { software = false, quads: four = true } = capabilities ?? {};
  const list = [
    ...REGISTERS.map((tile) => [`registers ${tile.join("x")}`, registers(product, tile)] as const),
    ["small 4x4", small(product, 4)] as const,
    ...(four && fitsQuads(product) ? QUADS.map((rows) => [`quads ${rows}x16`, quads(product, rows)] as const) : []),
    // Barriers are slow on software adapters.
    ...(software ? [] : SHARED.map((g) => [`shared ${4 * g}x${4 * g}`, shared(product, g)] as const)),
  ];
  return Object.fromEntries(list);
}

/** What decides which variant is fastest: extents and layouts. */
export const productKey = ({ planes, m, n, k, ta, tb }: Product): string =>
  `matmul ${planes}x${m}x${n}x${k}${ta ? " ta" : ""}${tb ? " tb" : ""}`;
