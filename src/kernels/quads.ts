// Kernels for adapters whose subgroups are four invocations.

/**
 * The text of a kernel in which subgroups share what they load: each `fn SHARED_i(v)` becomes what invocation `i` holds,
 * SHARED_MIN and SHARED_MAX the least and the most of all four.
 */
export const sharing = (wgsl: string): string =>
  "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n" +
  wgsl.replace(/(fn SHARED_)(\w+)(\(.*?return )v;/g, (_, start: string, name: string, rest: string) => {
    const value =
      name === "MIN" ? "subgroupMin(v)" : name === "MAX" ? "subgroupMax(v)" : `subgroupBroadcast(v, ${name}u)`;
    return `${start}${name}${rest}${value};`;
  });
