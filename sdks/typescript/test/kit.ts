/** What tests of the real system need: an upstream with real TLS, and the command that starts the system. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Settings, startServer, type TestServer } from "../src/testing.js";

export const HOST = "api.upstream.test";

const LOCAL = fileURLToPath(new URL("../../../.venv/bin/openmiosa", import.meta.url));

/** An API that answers with 200 and remembers the credentials that it saw. */
export class Upstream {
  readonly credentials: string[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), "openmiosa-upstream-"));
  readonly #https: Server;

  constructor() {
    const at = (name: string): string => join(this.folder, name);
    const openssl = (...words: string[]): void => {
      const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
      execFileSync("openssl", ["req", "-x509", ...kind, ...words], { stdio: "pipe" });
    };
    openssl("-keyout", at("authority.key"), "-out", this.authority, "-subj", "/CN=authority of the tests");
    const names = [
      "-subj",
      `/CN=${HOST}`,
      "-addext",
      `subjectAltName=DNS:${HOST}`,
      "-addext",
      "basicConstraints=CA:FALSE",
    ];
    openssl(
      "-CA",
      this.authority,
      "-CAkey",
      at("authority.key"),
      "-keyout",
      at("key"),
      "-out",
      at("certificate"),
      ...names,
    );
    const [key, cert] = [readFileSync(at("key")), readFileSync(at("certificate"))];
    this.#https = createServer({ key, cert }, (request, response) => {
      this.credentials.push(String(request.headers.authorization));
      response.end("fine");
    });
  }

  /** Where the certificate of its authority is. */
  get authority(): string {
    return join(this.folder, "authority.pem");
  }

  /** Listen; gives its address. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#https.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(this.#https.address() as AddressInfo).port}`;
  }

  /** End it. */
  async stop(): Promise<void> {
    this.#https.closeAllConnections();
    await new Promise((resolve) => this.#https.close(resolve));
    rmSync(this.folder, { recursive: true });
  }
}

/** The real system of this repository, or that of OPENMIOSA_COMMAND. */
export async function startSystem(settings: Readonly<Record<string, Settings>> = {}): Promise<TestServer> {
  const here = !process.env.OPENMIOSA_COMMAND && existsSync(LOCAL);
  return startServer({ settings, ...(here ? { command: [LOCAL] } : {}) });
}
