/** What the README shows compiles. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
// What the reader of a block is expected to have already.
const GIVEN = 'declare const key: string;\ndeclare const sandbox: import("openmiosa").Sandbox;\n';

test("every block of TypeScript", { timeout: 60_000 }, () => {
  const blocks = [...readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(
    (one) => one[1],
  );
  expect(blocks.length).toBeGreaterThan(2);
  // Below this folder, so that the types of Node.js and vitest are found.
  const folder = mkdtempSync(join(ROOT, "test", ".readme-"));
  try {
    for (const [number, block] of blocks.entries()) writeFileSync(join(folder, `block-${number}.ts`), block ?? "");
    writeFileSync(join(folder, "given.d.ts"), GIVEN);
    const paths = { openmiosa: [join(ROOT, "src/index.ts")], "openmiosa/*": [join(ROOT, "src/*.ts")] };
    const options = { paths, noEmit: true };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../../tsconfig.json", compilerOptions: options, include: ["*"] }),
    );
    expect(compiled(folder)).toBe("");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** What the compiler complains of. */
function compiled(folder: string): string {
  try {
    return execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? error);
  }
}
