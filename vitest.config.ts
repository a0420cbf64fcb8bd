import { defineConfig } from "vitest/config";
import { wgslForVite } from "./scripts/wgsl.mjs";

// One worker and no isolation: every test file meets the same device and the pipelines compiled for it. A software adapter
// takes longer to build pipelines than to run these tests, and computes on all cores by itself.
const shared = {
  isolate: false,
  fileParallelism: false,
  // Not threads: the Vulkan loader reads the environment of the process, which a thread cannot change.
  pool: "forks" as const,
  testTimeout: 120_000,
  hookTimeout: 120_000,
};

export default defineConfig({
  plugins: [wgslForVite],
  test: {
    disableConsoleIntercept: true,
    // CI adds up the results of several runs; AUMANN_RESULTS names the file for them.
    reporters: process.env["AUMANN_RESULTS"] ? ["default", "json"] : ["default"],
    outputFile: { json: process.env["AUMANN_RESULTS"] ?? "" },
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/golden/**", "test/browser/**"],
        },
      },
      { extends: true, test: { ...shared, name: "browser", include: ["test/browser/**/*.test.ts"] } },
      { extends: true, test: { ...shared, name: "golden", include: ["test/golden/**/*.test.ts"] } },
    ],
  },
});
