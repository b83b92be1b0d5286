"""The walkthrough with the published client: every step acts and checks what it says, and needs those before it."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .drive import Follower, until
from .stage import GITHUB, OPENAI, Stage

AGENT = Path(__file__).with_name("agent.py")
RUN = "python3 /workspace/agent.py"
GITHUB_LINE = f"[audit] allow {GITHUB} HTTP 200 secrets=github_token"
OPENAI_LINE = f"[audit] allow {OPENAI} HTTP 200 secrets=openai_key"


class Walk:
    """The steps in order, each taken once."""

    def __init__(self, kind: str, connect: Callable[[], Any], stage: Stage) -> None:
        self.kind, self.connect, self.stage = kind, connect, stage
        self.old, self.new = (stage.openai_key(f"{kind}-{which}") for which in ("old", "new"))
        self.box: Any = None
        self.steps: dict[str, Callable[[], None]] = {
            "1 configure": self.configure,
            "2 create": self.create,
            "3 store a key": self.store,
            "4 connect an account": self.connect_account,
            "5 run the agent": self.run_agent,
            "6 watch": self.watch,
            "7 lock down": self.lock_down,
            "bonus: rotate": self.rotate,
        }
        self._taken: set[str] = set()

    def take(self, step: str) -> None:
        """Take the steps up to this one that were not taken yet."""
        for name, action in self.steps.items():
            if name not in self._taken:
                self._taken.add(name)
                action()
            if name == step:
                return

    def configure(self) -> None:
        """The key and the server's address come from the environment, the address without a path."""
        self.client = self.connect()
        assert isinstance(self.client.sandboxes.list(), list)

    def create(self) -> None:
        """Ready when commands run in it; asking again gives the same one."""
        self.box = self.client.sandboxes.get_or_create(f"walk-{self.kind}", wait_until_ready=True)
        assert (self.box.state, self.box.ready) == ("running", True)
        assert self.client.sandboxes.get_or_create(f"walk-{self.kind}").id == self.box.id
        assert self.box.exec("hostname").stdout == f"walk-{self.kind}\n"
        assert self.box.network.policies()[0]["mode"] == "audit_only"

    def store(self) -> None:
        """Outside a description without the value, inside a placeholder."""
        made = self.box.secrets.set(name="openai_key", value=self.old, expose_as_env="OPENAI_API_KEY")
        listed = self.box.secrets.list()
        assert [(secret["name"], secret["type"], secret["preview"]) for secret in listed] == [("openai_key", "api_key", self.old[-4:])]
        assert self.old not in json.dumps([made, listed])
        self._placeholder("OPENAI_API_KEY")

    def connect_account(self) -> None:
        """Consent in a browser; the secret is called after its provider."""
        flow = self.box.secrets.connect("github", expose_as_env="GITHUB_TOKEN")
        self.stage.consent(flow.authorize_url)
        secret = flow.wait_for_completion(timeout=30, poll_interval=0.1)
        assert (secret["name"], secret["status"], secret["provider"]) == ("github_token", "ready", "github")
        self._placeholder("GITHUB_TOKEN")

    def run_agent(self) -> None:
        """Ordinary code; the services were shown the real credentials, and no placeholder."""
        self.box.files.write("/workspace/agent.py", AGENT.read_bytes())
        began = self.stage.moment()
        result = self.box.exec(RUN)
        assert (result.exit_code, result.stderr, result.stdout.count("Thank you for the report")) == (0, "", 2)
        assert {call["credential"] for call in self.stage.calls(OPENAI, began)} == {f"{self.kind}-old"}
        github = [call["credential"] for call in self.stage.calls(GITHUB, began)]
        assert len(github) == 1
        assert github[0].startswith("token ")

    def watch(self) -> None:
        """The log, live, from the client's own tail while the agent works."""
        tail = Follower(self.box.audit.tail, lambda events: {GITHUB_LINE, OPENAI_LINE} <= {printed(event) for event in events})
        while not tail.done:
            assert self.box.exec(RUN).exit_code == 0
        # What happens to the sandbox comes on the same stream, shaped so that this loop prints it too.
        lines = {printed(event) for event in tail.result() if event["type"] == "audit"}
        assert lines == {GITHUB_LINE, OPENAI_LINE}

    def lock_down(self) -> None:
        """Two hosts stay open for the agent; any other answers 403 and is recorded."""
        assert {seen["host"] for seen in self.box.network.suggestions()} == {GITHUB, OPENAI}
        for host in (OPENAI, GITHUB):
            self.box.network.allow(host)
        policy = self.box.network.lockdown(policy_id=self.box.network.policies()[0]["id"])
        assert policy["mode"] == "enforce"
        assert self.box.exec(RUN).exit_code == 0
        blocked = self.box.exec("curl -s -i https://example.com/")
        assert "HTTP/1.1 403 MIOSA-Egress-Deny" in blocked.stdout or "miosa-egress-deny:" in blocked.stdout.lower()
        assert "\nblocked: 403 MIOSA-Egress-Deny\n" in blocked.stdout.replace("\r\n", "\n")
        rejected = self.box.audit.list(action="reject")
        assert [(event["host"], bool(event["rejected_by"])) for event in rejected] == [("example.com", True)]

    def rotate(self) -> None:
        """Old, ..., old, new, ..., new for the upstream; the process and its placeholder stay as they were."""
        began = self.stage.moment()
        pid = self.box.processes.start(f"{RUN} --loop")["pid"]
        before = self._environment(pid)
        until(lambda: len(self._openai(began)) >= 3, "the agent to call OpenAI")
        rotated = self.box.secrets.rotate("openai_key", new_value=self.new)
        self.stage.revoke(f"{self.kind}-old")
        assert rotated["name"] == "openai_key"
        until(lambda: self._openai(began).count(f"{self.kind}-new") >= 3, "the new key to arrive")
        assert self._environment(pid) == before
        self.box.files.write("/workspace/enough", b"")
        until(lambda: self.box.processes.get(pid)["exit_code"] is not None, "the agent to end")
        assert self.box.processes.get(pid)["exit_code"] == 0, self.box.processes.logs(pid)
        seen = self._openai(began)
        assert seen == sorted(seen, reverse=True), "one switch from old to new"
        assert {printed(event) for event in self.box.audit.list(host=OPENAI)} == {OPENAI_LINE}

    def end(self) -> None:
        """Remove the sandbox."""
        if self.box is not None:
            self.box.destroy()

    def _placeholder(self, name: str) -> None:
        seen = self.box.exec(f"printenv {shlex.quote(name)}").stdout
        assert seen.startswith("miosa-tok-"), seen

    def _environment(self, pid: str) -> str:
        shown = self.box.exec(f"tr '\\0' '\\n' < /proc/{pid}/environ | grep -E '^(OPENAI_API_KEY|GITHUB_TOKEN)=miosa-tok-' | sort")
        assert shown.stdout.count("\n") == 2
        return str(shown.stdout)

    def _openai(self, began: int) -> list[str]:
        return [call["credential"] for call in self.stage.calls(OPENAI, began)]


def printed(event: dict[str, Any]) -> str:
    """The line that the walkthrough prints, from the plain dictionary that the client gives."""
    names = ",".join(event["request_transforms"]["secrets"]["swapped"]) or "none"
    return f"[audit] {event['action']} {event['host']} HTTP {event['status_code']} secrets={names}"
