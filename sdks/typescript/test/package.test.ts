/** The package as it is published. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VERSION } from "../src/version.js";

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");

test("its version is the one that it says", () => {
  expect(JSON.parse(read("package.json")).version).toBe(VERSION);
});

test("it depends on nothing", () => {
  expect(JSON.parse(read("package.json"))).not.toHaveProperty("dependencies");
});

test("its lock has no addresses to download from", () => {
  expect(read("package-lock.json")).not.toContain('"resolved"');
});
