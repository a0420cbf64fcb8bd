// Files out of Debian packages, with programs in place of apt-get and dpkg-deb that say how often they ran.
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchDebianFile, fetchDebianFiles } from "../../examples/lib/debian.ts";

const PROGRAMS = {
  "apt-get": '[ "$3" = absent ] && { echo "E: Unable to locate package absent" >&2; exit 100; }; touch "$3.deb"',
  "dpkg-deb": "mkdir -p content/usr; echo one > content/usr/one; echo two > content/usr/two; echo run >> COUNT",
};
let folder: string;
let path: string | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "aumann-test-"));
  for (const [name, text] of Object.entries(PROGRAMS)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${text.replace("COUNT", join(folder, "count"))}\n`);
    await chmod(join(folder, name), 0o755);
  }
  path = process.env["PATH"];
  process.env["PATH"] = `${folder}:${path}`;
});
afterAll(async () => {
  process.env["PATH"] = path;
  await rm(folder, { recursive: true, force: true });
});
const options = (): { cache: string } => ({ cache: join(folder, "cache") });
const downloads = async (): Promise<number> => (await readFile(join(folder, "count"), "utf8")).split("run").length - 1;

test("several files take one download, and none when they are kept", async () => {
  const files = await fetchDebianFiles("some", ["usr/one", "usr/two"], options());
  expect(await Promise.all(files.map((file) => readFile(file, "utf8")))).toEqual(["one\n", "two\n"]);
  expect(await downloads()).toBe(1);
  expect(await fetchDebianFile("some", "usr/two", options())).toBe(files[1]);
  expect(await downloads()).toBe(1);
});

test("what is not there is named", async () => {
  await expect(fetchDebianFiles("some", ["usr/one", "usr/three"], options())).rejects.toThrow(
    `could not take "usr/three" out of Debian's package some: there is no such file`,
  );
  const absent = fetchDebianFile("absent", "usr/one", { ...options(), instead: ", or use your own" });
  await expect(absent).rejects.toThrow(/Unable to locate package absent; put the file at .*one, or use your own$/);
});
