/** WGSL files are imported as text; comments and indentation are gone by then (scripts/wgsl.mjs). */
declare module "*.wgsl" {
  const source: string;
  export default source;
}
