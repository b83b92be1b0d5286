import { defineConfig } from "vitest/config";

const system = ["test/system.test.ts", "test/testing.test.ts"];
const browser = ["test/browser.test.ts"];

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/*.test.ts"], exclude: [...system, ...browser] } },
      { test: { name: "system", include: system, testTimeout: 120_000, hookTimeout: 180_000, fileParallelism: false } },
      { test: { name: "browser", include: browser, testTimeout: 120_000, hookTimeout: 180_000 } },
    ],
  },
});
