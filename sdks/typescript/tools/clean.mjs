/** Removes the last build, so that a file that was renamed leaves nothing behind. */
import { rmSync } from "node:fs";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
