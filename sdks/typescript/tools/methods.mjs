/**
 * Prints the canonical names of all public methods, one a line, by looking at the built package: `sandbox.secrets.set`.
 * `npm run build` comes first.
 */
import { Connection } from "../dist/connection.js";
import { ConnectionInfo, Miosa, SandboxInfo } from "../dist/index.js";
import { Sandbox } from "../dist/sandbox.js";
import { Transport } from "../dist/transport.js";

// Nothing listens there, and nothing is sent.
const options = { apiKey: "msk_nobody", baseUrl: "http://127.0.0.1:1" };
const transport = new Transport(options);
const roots = {
  client: new Miosa(options),
  sandbox: new Sandbox(transport, SandboxInfo.decode({ id: "sbx_none" })),
  connection: new Connection(transport, ConnectionInfo.decode({ state: "none" })),
};

for (const [name, root] of Object.entries(roots)) {
  for (const line of methodsOf(name, root)) console.log(line);
}

/** The methods of an object, and of the groups of methods that it holds. */
function methodsOf(prefix, thing) {
  const found = [];
  for (const name of namesOf(thing)) {
    const called = `${prefix}.${snake(name)}`;
    const value = thing[name];
    if (typeof value === "function") found.push(called, ...methodsOf(called, value));
    else if (isGroup(value)) found.push(...methodsOf(called, value));
  }
  return found;
}

function namesOf(thing) {
  const own = Object.keys(thing);
  if (typeof thing === "function") return own;
  const inherited = Object.getOwnPropertyNames(Object.getPrototypeOf(thing));
  return [...own, ...inherited].filter((name) => !["constructor", "toString", "toJSON"].includes(name));
}

/** A group is an instance of a class of this package; a record is one too, but writes itself as JSON. */
function isGroup(value) {
  return typeof value === "object" && value !== null && !("toJSON" in value);
}

function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
