/**
 * The walkthrough: an agent works with an OpenAI key and a GitHub account that it never holds.
 *
 * Needs a running server and two variables, MIOSA_API_KEY and MIOSA_BASE_URL; `make walkthrough SDK=typescript` provides both.
 * Everything here is the public SDK. Each step checks what it says, and the first one that is not so ends the program with status 1.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
// [step-5]
import { readFile } from "node:fs/promises";
// [/step-5]
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
// [step-1]
import { Miosa } from "openmiosa";
// [/step-1]
import { MiosaError, type Sandbox } from "openmiosa";

const AGENT = new URL("../../agent.py", import.meta.url);
const HOSTS = ["api.github.com", "api.openai.com"];
const GITHUB_LINE = "[audit] allow api.github.com HTTP 200 secrets=github_token";
const OPENAI_LINE = "[audit] allow api.openai.com HTTP 200 secrets=openai_key";

const { values: options } = parseArgs({
  options: {
    /** The repository whose issues the agent reads. */
    repo: { type: "string", default: "octocat/Hello-World" },
    /** Connect GitHub by a code on another device, without a callback. */
    device: { type: "boolean", default: false },
  },
});
const runAgent = ["python3", "/workspace/agent.py", "--repo", options.repo];

/** All steps in order. */
async function main(): Promise<void> {
  const firstKey = await ask("OpenAI key");
  const nextKey = await ask("Another OpenAI key, for the rotation");

  const client = await configure();
  await using sandbox = await create(client);
  await storeTheKey(sandbox, firstKey);
  const shortLived = await connectGitHub(sandbox);
  await runTheAgent(sandbox);
  const agent = await LongRunningAgent.start(sandbox);
  await watch(client, sandbox);
  await lockDown(sandbox, agent);
  await rotate(sandbox, agent, nextKey, shortLived);
  await agent.finish();
}

/** The key and the server's address come from the environment. */
async function configure(): Promise<Miosa> {
  title("1", "Configure");
  // [step-1]

  const client = new Miosa(); // MIOSA_API_KEY and MIOSA_BASE_URL
  const me = await client.whoami();
  // [/step-1]
  say(`key ${me.keyId} of tenant ${me.tenantId}, scopes: ${me.scopes.join(", ")}`);
  return client;
}

/** A sandbox is ready when commands run in it. */
async function create(client: Miosa): Promise<Sandbox> {
  title("2", "Create the sandbox");
  const began = performance.now();
  // [step-2]
  const sandbox = await client.sandboxes.create("support-agent");
  const { stdout } = await sandbox.exec("echo hello from $(hostname)");
  // [/step-2]
  const hello = stdout.trim();
  say(`${sandbox.id}: '${hello}' after ${(performance.now() - began).toFixed(0)} ms`);
  expect(hello === "hello from support-agent", "the sandbox answers with its name");
  return sandbox;
}

/** The vault takes the value; the sandbox gets a placeholder. */
async function storeTheKey(sandbox: Sandbox, key: string): Promise<void> {
  title("3", "Store the OpenAI key in the vault");
  // [step-3]
  await sandbox.secrets.set({ name: "openai_key", value: key, exposeAsEnv: "OPENAI_API_KEY" });

  const inside = await sandbox.exec("printenv OPENAI_API_KEY"); // miosa-tok-…
  // [/step-3]
  for (const secret of await sandbox.secrets.list()) {
    say(`listed: ${secret.name}, type ${secret.type}, preview ${secret.preview}; no value`);
    expect(!JSON.stringify(secret).includes(key), "a listed secret has no value");
  }
  expectPlaceholder("OPENAI_API_KEY", inside.stdout);
}

/** Consent in a browser; the system keeps the tokens and refreshes them. Returns whether they are short-lived. */
async function connectGitHub(sandbox: Sandbox): Promise<boolean> {
  title("4", "Connect a GitHub account");
  // [step-4]
  const flow = await sandbox.secrets.connect("github", {
    exposeAsEnv: "GITHUB_TOKEN",
    flow: options.device ? "device" : "code",
  });
  if (options.device) console.log(`  open ${flow.verificationUri} and enter ${flow.userCode}`);
  else console.log(`  open this page and press its button:\n    ${flow.authorizeUrl}`);
  const secret = await flow.waitForCompletion();
  // [/step-4]
  say(`connected: ${secret.name}, status ${secret.status}`);
  expectPlaceholder("GITHUB_TOKEN", (await sandbox.exec("printenv GITHUB_TOKEN")).stdout);
  if (!secret.expiresAt) {
    say("this token has no end and no refresh: the app was registered without expiring tokens");
    return false;
  }
  const left = (secret.expiresAt.getTime() - Date.now()) / 1000;
  say(`the first access token lasts ${left.toFixed(0)} s; the system refreshes it ahead of its end`);
  return left < 120;
}

/** Ordinary code with the unmodified `openai` package; it knows nothing of any of this. */
async function runTheAgent(sandbox: Sandbox): Promise<void> {
  title("5", "Run the agent");
  // [step-5]

  const source = await readFile(AGENT);
  await sandbox.files.write("/workspace/agent.py", source);
  const result = await sandbox.exec(["python3", "/workspace/agent.py", "--repo", options.repo]);
  result.check(); // throws with its output when the agent failed
  // [/step-5]
  const inside = (await sandbox.exec("sha256sum /workspace/agent.py")).stdout.split(" ")[0];
  say(`agent.py, sha256 ${inside}`);
  expect(inside === createHash("sha256").update(source).digest("hex"), "the file inside is the file outside");
  quote(result.stdout);
}

/** A second process and a task of this one follow the audit log while the agent works. */
async function watch(client: Miosa, sandbox: Sandbox): Promise<void> {
  title("6", "Watch the audit log, live");
  const ended = new AbortController();
  const process = new Tail("second process", (print) => commandLineTail(sandbox, print, ended.signal));
  const task = new Tail("async task", (print) => follow(client, print, ended.signal));
  for (const tail of [process, task]) {
    await tail.waitFor(GITHUB_LINE);
    await tail.waitFor(OPENAI_LINE);
  }
  (await sandbox.exec([...runAgent, "--public", "--drafts", "0"])).check();
  for (const tail of [process, task]) {
    await tail.waitFor("[audit] allow api.github.com HTTP 200 secrets=none");
    say(`the ${tail.name} saw ${tail.lines.length} lines:`);
    const times = (line: string) => tail.lines.filter((one) => one === line).length;
    quote(
      [...new Set(tail.lines)]
        .sort()
        .map((line) => `${line}    x${times(line)}`)
        .join("\n"),
    );
  }
  ended.abort();
  await Promise.all([process.ended, task.ended]);
}

/** Prints every call of the sandbox as it happens. */
async function follow(client: Miosa, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  // [step-6]
  const sandbox = await client.sandboxes.get("support-agent");
  for await (const event of sandbox.audit.tail({ signal })) {
    print(`${event}`); // [audit] allow api.openai.com HTTP 200 secrets=openai_key
  }
  // [/step-6]
}

/** Only the hosts that the agent was seen to need stay open. */
async function lockDown(sandbox: Sandbox, agent: LongRunningAgent): Promise<void> {
  title("7", "Lock down");
  // [step-7]
  const suggested = await sandbox.network.suggestions(); // the hosts that were called
  for (const { host } of suggested) await sandbox.network.allow(host);
  const policy = await sandbox.network.lockdown();
  // [/step-7]
  for (const { host, count } of suggested) say(`observed: ${host}, ${count} requests`);
  expect(`${suggested.map((one) => one.host).sort()}` === `${HOSTS}`, `exactly ${HOSTS.join(" and ")} were observed`);
  say(
    `policy: ${policy.mode}, allows ${policy.allowRules
      .map((rule) => rule.host)
      .sort()
      .join(", ")}`,
  );
  expect(policy.mode === "enforce", "the policy is enforced");

  (await sandbox.exec([...runAgent, "--drafts", "1"])).check();
  say("a new run of the agent works as before, and so does the one that was running");
  await agent.expectAlive();
  // [step-7]

  const blocked = await sandbox.exec("curl -s https://example.com/"); // blocked: 403 MIOSA-Egress-Deny
  const pending = await sandbox.network.pending(); // example.com waits for a decision
  // [/step-7]
  say("curl -s https://example.com/ prints:");
  quote(blocked.stdout);
  expect(blocked.stdout.startsWith("blocked: 403 MIOSA-Egress-Deny\n"), "the refusal says so in its first line");
  say(`pending: ${pending.map((waiting) => waiting.host).join(", ")}`);
  expect(pending.length === 1 && pending[0]?.host === "example.com", "the refused host, and no other, waits");
}

/** The key changes under a running process, which keeps its placeholder and does not notice. */
async function rotate(sandbox: Sandbox, agent: LongRunningAgent, key: string, shortLived: boolean): Promise<void> {
  title("Bonus", "Rotate the OpenAI key while the agent runs");
  const before = await agent.environment();
  // [bonus]
  const rotated = await sandbox.secrets.rotate("openai_key", key);
  console.log(`  rotated ${rotated.name} to version ${rotated.version}: the next request carries the new value`);
  // [/bonus]
  const calls = await agent.openAICalls();
  await waitUntil(async () => (await agent.openAICalls()) >= calls + 3, "the agent goes on calling OpenAI");
  say("The agent is running. Look at it from outside if you like, then press Enter to go on.");
  await typed.next();
  if (shortLived) {
    say("meanwhile GitHub's tokens run out; waiting until the second one was replaced");
    await waitUntil(async () => (await agent.gitHubVersions()) >= 3, "the GitHub token is refreshed twice", 60_000);
  }
  await agent.expectAlive();
  expect((await agent.environment()) === before, "the process has the placeholders that it had");
  say(`process ${agent.pid} still runs, with the same placeholders`);
}

/** The same agent in a loop, until a file tells it to stop. */
class LongRunningAgent {
  static readonly STOP = "/workspace/enough";

  constructor(
    readonly sandbox: Sandbox,
    readonly pid: number,
  ) {}

  /** Start it in the background. */
  static async start(sandbox: Sandbox): Promise<LongRunningAgent> {
    const command = [...runAgent, "--drafts", "0", "--until", LongRunningAgent.STOP];
    const { pid } = await sandbox.processes.start(command);
    say(`process ${pid}: the agent goes on in a loop`);
    return new LongRunningAgent(sandbox, pid);
  }

  /** Let it come to its end. */
  async finish(): Promise<void> {
    await this.sandbox.files.write(LongRunningAgent.STOP, "");
    const ended = await this.sandbox.processes.wait(this.pid, { timeout: 30_000 });
    const last = (await this.sandbox.processes.logs(this.pid)).trim().split("\n").at(-1) ?? "";
    expect(ended.exitCode === 0, `the agent ends well: ${last}`);
    say(last);
  }

  /** The process that was started is the one that runs. */
  async expectAlive(): Promise<void> {
    const { exitCode } = await this.sandbox.processes.get(this.pid);
    const output = exitCode === undefined ? "" : await this.sandbox.processes.logs(this.pid);
    expect(exitCode === undefined, `the agent still runs: ${output.slice(-2000)}`);
  }

  /** The two variables of the running process. */
  async environment(): Promise<string> {
    const wanted = "grep -E '^(OPENAI_API_KEY|GITHUB_TOKEN)=' | sort";
    return (await this.sandbox.exec(`tr '\\0' '\\n' < /proc/${this.pid}/environ | ${wanted}`)).check().stdout;
  }

  /** How many requests to OpenAI the audit log shows. */
  async openAICalls(): Promise<number> {
    return (await this.sandbox.audit.list({ host: "api.openai.com" }).all()).length;
  }

  /** How many versions of the GitHub token the audit log shows. */
  async gitHubVersions(): Promise<number> {
    const events = await this.sandbox.audit.list({ host: "api.github.com" }).all();
    return new Set(events.flatMap((event) => event.secrets.map((use) => use.version))).size;
  }
}

/** Runs a source of lines beside the main program and keeps what it says. */
class Tail {
  readonly lines: string[] = [];
  readonly ended: Promise<void>;

  constructor(
    readonly name: string,
    source: (print: (line: string) => void) => Promise<void>,
  ) {
    this.ended = source((line) => this.lines.push(line)).catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
  }

  /** Until this very line came. */
  async waitFor(line: string): Promise<void> {
    const came = waitUntil(async () => this.lines.includes(line), `the ${this.name} prints '${line}'`);
    await Promise.race([came, this.ended.then(() => came)]);
  }
}

/** `openmiosa audit tail` in a process of its own. */
async function commandLineTail(sandbox: Sandbox, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  const command = spawn("openmiosa", ["audit", "tail", sandbox.id], { stdio: ["ignore", "pipe", "inherit"], signal });
  const failed = new Promise<never>((_, reject) => command.on("error", reject));
  const printed = (async () => {
    for await (const line of createInterface({ input: command.stdout })) print(line);
  })();
  await Promise.race([printed, failed]);
}

const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
const input = createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY });
const typed = input[Symbol.asyncIterator]();

/** A secret value, typed unseen or read from a pipe. */
async function ask(question: string): Promise<string> {
  if (process.stdin.isTTY) process.stdout.write(`${question}: `);
  const { value } = await typed.next();
  if (process.stdin.isTTY) console.log();
  expect(Boolean(value), `${question} was given`);
  return value;
}

/** What the sandbox sees of a secret. */
function expectPlaceholder(name: string, seen: string): void {
  say(`inside: ${name}=${seen.trim()}`);
  expect(seen.startsWith("miosa-tok-"), `$${name} is a placeholder`);
}

/** Poll until it is so, or end. */
async function waitUntil(condition: () => Promise<boolean>, what: string, patience = 30_000): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await condition())) {
    expect(performance.now() < deadline, `${what} (waited ${patience / 1000} s)`);
    await sleep(200);
  }
}

/** Something is not as it should be. */
class NotSo extends Error {}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new NotSo(what);
}

function title(number: string, text: string): void {
  console.log(`\n${number}  ${text}`);
}

function say(text: string): void {
  console.log(`  ${text}`);
}

function quote(text: string): void {
  for (const line of text.trimEnd().split("\n")) console.log(`    | ${line}`);
}

try {
  await main();
  console.log("\nDone: every step did what it says.");
} catch (error) {
  if (!(error instanceof NotSo || error instanceof MiosaError)) throw error;
  console.error(`\nNOT SO: ${error instanceof NotSo ? error.message : error}`);
  process.exitCode = 1;
} finally {
  input.close();
}
