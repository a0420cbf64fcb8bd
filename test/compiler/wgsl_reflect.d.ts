/** The package declares types for its main file only, which is not a module that Node can import. */
declare module "wgsl_reflect/wgsl_reflect.module.js" {
  export * from "wgsl_reflect";
}
