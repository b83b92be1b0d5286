"""The walkthrough: an agent works with an OpenAI key and a GitHub account that it never holds.

Needs a running server and two variables, MIOSA_API_KEY and MIOSA_BASE_URL; `make walkthrough` provides both. Everything
here is the public SDK. Each step checks what it says, and the first one that is not so ends the program with status 1.
"""

import argparse
import asyncio
import contextlib
import getpass
import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# [step-1]
from openmiosa import AsyncMiosa, Miosa, MiosaError, Sandbox

# [/step-1]

AGENT = Path(__file__).with_name("agent.py")
HOSTS = ["api.github.com", "api.openai.com"]
RUN_AGENT = ["python3", "/workspace/agent.py"]
GITHUB_LINE = "[audit] allow api.github.com HTTP 200 secrets=github_token"
OPENAI_LINE = "[audit] allow api.openai.com HTTP 200 secrets=openai_key"


def main() -> None:
    """All steps in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", default="octocat/Hello-World", help="the repository whose issues the agent reads")
    parser.add_argument("--device", action="store_true", help="connect GitHub by a code on another device, without a callback")
    options = parser.parse_args()

    first_key = ask("OpenAI key")
    next_key = ask("Another OpenAI key, for the rotation")

    with step_1_configure() as client:
        sandbox = step_2_create(client)
        try:
            step_3_store_the_key(sandbox, first_key)
            short_lived = step_4_connect_github(sandbox, options.device)
            step_5_run_the_agent(sandbox, options.repo)
            with LongRunningAgent(sandbox, options.repo) as agent:
                step_6_watch(sandbox, options.repo)
                step_7_lock_down(sandbox, agent, options.repo)
                bonus_rotate(sandbox, agent, next_key, short_lived)
        finally:
            sandbox.destroy()
    print("\nDone: every step did what it says.")


def step_1_configure() -> Miosa:
    """The key and the server's address come from the environment."""
    title("1", "Configure")
    # [step-1]
    client = Miosa()  # MIOSA_API_KEY and MIOSA_BASE_URL
    me = client.whoami()
    # [/step-1]
    say(f"key {me.key_id} of tenant {me.tenant_id}, scopes: {', '.join(me.scopes)}")
    return client


def step_2_create(client: Miosa) -> Sandbox:
    """A sandbox is ready when commands run in it."""
    title("2", "Create the sandbox")
    began = time.perf_counter()
    # [step-2]
    sandbox = client.sandboxes.create("support-agent")
    hello = sandbox.exec("echo hello from $(hostname)").stdout.strip()
    # [/step-2]
    say(f"{sandbox.id}: '{hello}' after {(time.perf_counter() - began) * 1000:.0f} ms")
    expect(hello == "hello from support-agent", "the sandbox answers with its name")
    return sandbox


def step_3_store_the_key(sandbox: Sandbox, value: str) -> None:
    """The vault takes the value; the sandbox gets a placeholder."""
    title("3", "Store the OpenAI key in the vault")
    # [step-3]
    sandbox.secrets.set(name="openai_key", value=value, expose_as_env="OPENAI_API_KEY")
    inside = sandbox.exec("printenv OPENAI_API_KEY").stdout  # miosa-tok-…
    # [/step-3]
    for secret in sandbox.secrets.list():
        say(f"listed: {secret.name}, type {secret.type}, preview {secret.preview}; no value")
        expect(value not in repr(secret) and value not in str(secret), "a listed secret has no value")
    expect_placeholder("OPENAI_API_KEY", inside)


def step_4_connect_github(sandbox: Sandbox, by_device: bool) -> bool:
    """Consent in a browser; the system keeps the tokens and refreshes them. Returns whether they are short-lived."""
    title("4", "Connect a GitHub account")
    # [step-4]
    flow = sandbox.secrets.connect("github", expose_as_env="GITHUB_TOKEN", flow="device" if by_device else "code")
    if by_device:
        print(f"  open {flow.verification_uri} and enter {flow.user_code}", flush=True)
    else:
        print(f"  open this page and press its button:\n    {flow.authorize_url}", flush=True)
    secret = flow.wait_for_completion(timeout=300)
    # [/step-4]
    say(f"connected: {secret.name}, status {secret.status}")
    expect_placeholder("GITHUB_TOKEN", sandbox.exec("printenv GITHUB_TOKEN").stdout)
    if secret.expires_at is None:
        say("this token has no end and no refresh: the app was registered without expiring tokens")
        return False
    left = secret.expires_at.timestamp() - time.time()
    say(f"the first access token lasts {left:.0f} s; the system refreshes it ahead of its end")
    return left < 120


def step_5_run_the_agent(sandbox: Sandbox, repository: str) -> None:
    """Ordinary code with the unmodified `openai` package; it knows nothing of any of this."""
    title("5", "Run the agent")
    # [step-5]
    source = AGENT.read_bytes()
    sandbox.files.write("/workspace/agent.py", source)
    result = sandbox.exec(["python3", "/workspace/agent.py", "--repo", repository])
    result.check()  # raises with its output when the agent failed
    # [/step-5]
    inside = sandbox.exec("sha256sum /workspace/agent.py").stdout.split()[0]
    say(f"agent.py, sha256 {inside}")
    expect(inside == hashlib.sha256(source).hexdigest(), "the file inside is the file outside")
    quote(result.stdout)


def step_6_watch(sandbox: Sandbox, repository: str) -> None:
    """A second process and an asynchronous task follow the audit log while the agent works."""
    title("6", "Watch the audit log, live")
    with Tail("second process", command_line_tail(sandbox)) as process, Tail("async task", async_tail()) as task:
        for tail in (process, task):
            tail.wait_for(GITHUB_LINE)
            tail.wait_for(OPENAI_LINE)
        public = sandbox.exec([*RUN_AGENT, "--repo", repository, "--public", "--drafts", "0"])
        expect(public.exit_code == 0, f"the agent reads a public repository without its token: {public.stderr[-500:]}")
        for tail in (process, task):
            tail.wait_for("[audit] allow api.github.com HTTP 200 secrets=none")
            say(f"the {tail.name} saw {len(tail.lines)} lines:")
            quote("\n".join(f"{line}    x{tail.lines.count(line)}" for line in sorted(set(tail.lines))))


def step_7_lock_down(sandbox: Sandbox, agent: "LongRunningAgent", repository: str) -> None:
    """Only the hosts that the agent was seen to need stay open."""
    title("7", "Lock down")
    # [step-7]
    suggested = sandbox.network.suggestions()  # the hosts that were called
    for suggestion in suggested:
        sandbox.network.allow(suggestion.host)
    policy = sandbox.network.lockdown()
    # [/step-7]
    for suggestion in suggested:
        say(f"observed: {suggestion.host}, {suggestion.count} requests")
    expect(sorted(s.host for s in suggested) == HOSTS and all(s.count > 0 for s in suggested), f"exactly {HOSTS} were observed")
    say(f"policy: {policy.mode}, allows {', '.join(sorted(rule.host for rule in policy.allow_rules))}")
    expect(policy.mode == "enforce", "the policy is enforced")

    result = sandbox.exec([*RUN_AGENT, "--repo", repository, "--drafts", "1"])
    expect(result.exit_code == 0, f"the agent works as before: {result.stderr[-2000:]}")
    say("a new run of the agent works as before, and so does the one that was running")
    agent.expect_alive()

    # [step-7]
    blocked = sandbox.exec("curl -s https://example.com/").stdout  # blocked: 403 MIOSA-Egress-Deny
    pending = sandbox.network.pending()  # example.com waits for a decision
    # [/step-7]
    say("curl -s https://example.com/ prints:")
    quote(blocked)
    expect(blocked.startswith("blocked: 403 MIOSA-Egress-Deny\n"), "the refusal says so in its first line")
    hosts = [waiting.host for waiting in pending]
    say(f"pending: {', '.join(hosts)}")
    expect(hosts == ["example.com"], "the refused host, and no other, waits for a decision")


def bonus_rotate(sandbox: Sandbox, agent: "LongRunningAgent", value: str, short_lived: bool) -> None:
    """The key changes under a running process, which keeps its placeholder and does not notice."""
    title("Bonus", "Rotate the OpenAI key while the agent runs")
    before = agent.environment()
    # [bonus]
    rotated = sandbox.secrets.rotate("openai_key", new_value=value)
    print(f"  rotated {rotated.name} to version {rotated.version}: every request from now on carries the new value", flush=True)
    # [/bonus]
    calls = agent.openai_calls()
    wait_until(lambda: agent.openai_calls() >= calls + 3, "the agent goes on calling OpenAI")
    say("The agent is running. Look at it from outside if you like, then press Enter to go on.")
    with contextlib.suppress(EOFError):
        input()
    if short_lived:
        say("meanwhile GitHub's tokens run out; waiting until the second one was replaced")
        wait_until(lambda: agent.github_versions() >= 3, "the GitHub token is refreshed twice", timeout=60)
    agent.expect_alive()
    expect(agent.environment() == before, "the process has the placeholders that it had")
    say(f"process {agent.pid} still runs, with the same placeholders")


class LongRunningAgent:
    """The same agent in a loop, until a file tells it to stop."""

    STOP = "/workspace/enough"

    def __init__(self, sandbox: Sandbox, repository: str) -> None:
        self.sandbox = sandbox
        command = [*RUN_AGENT, "--repo", repository, "--drafts", "0", "--until", self.STOP]
        self.pid = sandbox.processes.start(command).pid
        say(f"process {self.pid}: the agent goes on in a loop")

    def __enter__(self) -> "LongRunningAgent":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.sandbox.files.write(self.STOP, b"")
            ended = self.sandbox.processes.wait(self.pid, timeout=30)
            last = self.sandbox.processes.logs(self.pid).strip().splitlines()[-1]
            expect(ended.exit_code == 0, f"the agent ends well: {last}")
            say(last)

    def expect_alive(self) -> None:
        """The process that was started is the one that runs."""
        process = self.sandbox.processes.get(self.pid)
        expect(process.exit_code is None, f"the agent still runs: {self.sandbox.processes.logs(self.pid)[-2000:]}")

    def environment(self) -> str:
        """The two variables of the running process."""
        shown = f"tr '\\0' '\\n' < /proc/{self.pid}/environ | grep -E '^(OPENAI_API_KEY|GITHUB_TOKEN)=' | sort"
        return self.sandbox.exec(shown).check().stdout

    def openai_calls(self) -> int:
        """How many requests to OpenAI the audit log shows."""
        return len(self.sandbox.audit.list(host="api.openai.com").all())

    def github_versions(self) -> int:
        """How many versions of the GitHub token the audit log shows."""
        return len({use.version for event in self.sandbox.audit.list(host="api.github.com") for use in event.secrets})


class Tail:
    """Runs a source of lines beside the main program and keeps what it says."""

    def __init__(self, name: str, source: Callable[["Tail"], None]) -> None:
        self.name, self.source = name, source
        self.lines: list[str] = []
        self.stop: Callable[[], object] = lambda: None
        self.thread = threading.Thread(target=lambda: source(self), daemon=True)

    def __enter__(self) -> "Tail":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.thread.join(timeout=10)

    def wait_for(self, line: str) -> None:
        """Until this very line came."""
        wait_until(lambda: line in self.lines, f"the {self.name} prints '{line}'")


def command_line_tail(sandbox: Sandbox) -> Callable[[Tail], None]:
    """`openmiosa audit tail` in a process of its own."""

    def source(tail: Tail) -> None:
        command = [str(Path(sys.executable).with_name("openmiosa")), "audit", "tail", sandbox.name or sandbox.id]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            tail.stop = process.terminate
            assert process.stdout
            for line in process.stdout:
                tail.lines.append(line.rstrip("\n"))

    return source


# [step-6]
async def watch_every_call(show: Callable[[str], None]) -> None:
    """Show every call of the sandbox as it happens."""
    async with AsyncMiosa() as client:
        sandbox = await client.sandboxes.get("support-agent")
        async for event in sandbox.audit.tail():
            show(str(event))  # [audit] allow api.openai.com HTTP 200 secrets=openai_key


# [/step-6]


def async_tail() -> Callable[[Tail], None]:
    """The same by an `AsyncMiosa` task."""

    async def follow(tail: Tail) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task
        tail.stop = lambda: loop.call_soon_threadsafe(task.cancel)
        await watch_every_call(tail.lines.append)

    def source(tail: Tail) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(follow(tail))

    return source


def expect_placeholder(name: str, seen: str) -> None:
    """What the sandbox sees of a secret."""
    say(f"inside: {name}={seen.strip()}")
    expect(seen.startswith("miosa-tok-"), f"${name} is a placeholder")


def ask(question: str) -> str:
    """A secret value, typed unseen or read from a pipe."""
    value = getpass.getpass(f"{question}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    expect(bool(value), f"{question} was given")
    return value


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 30) -> None:
    """Poll until it is so, or end."""
    deadline = time.monotonic() + timeout
    while not condition():
        expect(time.monotonic() < deadline, f"{what} (waited {timeout:.0f} s)")
        time.sleep(0.2)


def expect(holds: bool, what: str) -> None:
    """End the program when something is not as it should be."""
    if not holds:
        raise SystemExit(f"\nNOT SO: {what}")


def title(number: str, text: str) -> None:
    """A heading."""
    print(f"\n{number}  {text}", flush=True)


def say(text: str) -> None:
    """One fact."""
    print(f"  {text}", flush=True)


def quote(text: str) -> None:
    """What some program printed."""
    for line in text.rstrip().splitlines():
        print(f"    | {line}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except MiosaError as error:
        raise SystemExit(f"\nNOT SO: {error}") from None
