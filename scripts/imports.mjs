// Checks the imports between the sources: they run downwards only, and never in a circle. Type-only imports must run
// downwards as well, but may be mutual: they are gone from the output.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const below = ["tensor", "graph", "kernels", "compiler", "autograd", "nn", "attribution"];
/** The folders of src that each folder may import from; its own is always allowed. */
const allowed = Object.fromEntries(below.map((folder, i) => [folder, below.slice(0, i)]));
allowed.reference = ["tensor", "graph", "kernels", "compiler", "autograd"];
allowed.view = ["tensor"];
allowed.cli = [...below, "reference", "view"];

const root = fileURLToPath(new URL("..", import.meta.url));
const files = readdirSync(join(root, "src"), { recursive: true })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
  .map((file) => join("src", file));
const graph = new Map(files.map((file) => [file, importsOf(file)]));

const problems = [...misplaced(), ...circles()];
problems.forEach((problem) => console.error(problem));
console.log(`${files.length} files, ${problems.length} misplaced or circular imports`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Relative imports and re-exports of a file. */
function importsOf(file) {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.Latest);
  return source.statements
    .filter((node) => (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier)
    .map((node) => ({
      to: normalize(join(dirname(file), node.moduleSpecifier.text)),
      typeOnly: node.importClause?.isTypeOnly ?? node.isTypeOnly ?? false,
    }))
    .filter(({ to }) => files.includes(to));
}

function misplaced() {
  const folderOf = (file) => file.split("/")[1];
  return files.flatMap((file) => {
    const from = folderOf(file);
    // A file directly in src is an entry, and may gather anything.
    if (from.endsWith(".ts")) return [];
    return graph
      .get(file)
      .filter(({ to }) => folderOf(to) !== from && !(allowed[from] ?? []).includes(folderOf(to)))
      .map(
        ({ to }) => `${file} imports ${to}: ${from} may import from ${(allowed[from] ?? []).join(", ") || "nothing"}`,
      );
  });
}

/** Depth-first search; a file met again on the path to itself closes a circle. */
function circles() {
  const found = [];
  const done = new Set();
  const visit = (file, path) => {
    if (path.includes(file)) found.push(`circle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
    if (path.includes(file) || done.has(file)) return;
    for (const { to, typeOnly } of graph.get(file)) if (!typeOnly) visit(to, [...path, file]);
    done.add(file);
  };
  files.forEach((file) => visit(file, []));
  return found;
}
