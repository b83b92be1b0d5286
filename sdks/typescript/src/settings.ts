/** Where the server is and with which key: arguments first, then the environment, where there is one. */

import { ConfigurationError } from "./errors.js";

/** Where `openmiosa up` listens. */
export const DEFAULT_BASE_URL = "http://127.0.0.1:7878";

interface Surroundings {
  readonly process?: {
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly versions?: { readonly node?: string };
  };
}

const surroundings = globalThis as Surroundings;

/** Whether this is Node.js, where a request may say which client it comes from; browsers keep that to themselves. */
export const inNode = surroundings.process?.versions?.node !== undefined;

/** The key to send, from the option or `MIOSA_API_KEY`. */
export function apiKey(given: string | undefined): string {
  const key = (given ?? environment("MIOSA_API_KEY") ?? "").trim();
  if (!key) {
    throw new ConfigurationError("no API key: pass apiKey or set MIOSA_API_KEY (the first `openmiosa up` prints one)");
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new ConfigurationError("the API key has characters that no key has; was something else pasted?");
  }
  return key;
}

/** The API's base, ending in /vN: from the option, `MIOSA_BASE_URL`, or the address that `openmiosa up` uses. */
export function baseUrl(given: string | undefined): string {
  const base = (given ?? (environment("MIOSA_BASE_URL") || DEFAULT_BASE_URL)).trim().replace(/\/+$/, "");
  if (!/^https?:\/\/[^/\s?#]+(\/[^\s?#]*)?$/.test(base)) {
    throw new ConfigurationError(
      `the base URL ${JSON.stringify(base)} is not http(s)://host[:port][/prefix]: check baseUrl or MIOSA_BASE_URL`,
    );
  }
  return /\/v\d+$/.test(base) ? base : `${base}/api/v1`;
}

function environment(name: string): string | undefined {
  return surroundings.process?.env?.[name];
}
