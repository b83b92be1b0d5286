"""LIVE=1: the real services, and what they need from a person."""

import getpass
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tools.walkthrough import proof
from tools.walkthrough.person import Browser
from tools.walkthrough.system import Upstreams

ROOT = Path(__file__).resolve().parent.parent.parent
PORT = 7879
NEEDED = f"""LIVE=1 uses api.openai.com and github.com themselves. It needs

  OPENAI_API_KEY, OPENAI_API_KEY_2   two keys of one OpenAI account (asked for, unseen, when they are not set)
  GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET   a GitHub App of your own:
      GitHub > Settings > Developer settings > GitHub Apps > New GitHub App
      Callback URL   http://127.0.0.1:{PORT}/api/v1/egress/oauth/callback
      tick           Expire user authorization tokens  (without it tokens have no refresh, and the walkthrough says so)
      tick           Enable Device Flow                (for DEVICE=1: no callback, a code on another device)
      untick         Webhook > Active
      permissions    Repository > Issues: read
  GITHUB_TOKEN       optional: a token of yours, to run the same agent.py outside the sandbox as well
  REPO               optional: owner/name of the repository whose issues are read (default: octocat/Hello-World)"""


class LiveServices:
    """The real OpenAI and the real GitHub."""

    description = "the real services (LIVE=1)"
    short_lived = False

    def __init__(self) -> None:
        self.port = PORT
        self.born = 0.0
        client_id, client_secret = os.environ.get("GITHUB_CLIENT_ID"), os.environ.get("GITHUB_CLIENT_SECRET")
        if not client_id or not client_secret:
            raise RuntimeError(f"GITHUB_CLIENT_ID or GITHUB_CLIENT_SECRET is not set.\n\n{NEEDED}")
        self.upstreams = Upstreams(client_id, client_secret)
        self.secret = client_secret
        self.first, self.second = _key("OPENAI_API_KEY"), _key("OPENAI_API_KEY_2")
        device = ("--device",) if os.environ.get("DEVICE") == "1" else ()
        self.arguments = ("--repo", os.environ.get("REPO", "octocat/Hello-World"), *device)

    def run_agent_outside(self, table: proof.Proof) -> None:
        """The same file on this machine, if there is a token for it."""
        agent, token = ROOT / "examples/agent.py", os.environ.get("GITHUB_TOKEN")
        if not token:
            print("walkthrough: GITHUB_TOKEN is not set, so agent.py does not run outside the sandbox", flush=True)
            return
        environment = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": self.first, "GITHUB_TOKEN": token}
        command = [sys.executable, str(agent), *self.arguments[:2]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        digest = hashlib.sha256(agent.read_bytes()).hexdigest()
        table.check(done.returncode == 0, "agent.py outside, with real values", f"sha256 {digest[:16]}… {done.stderr[-300:]}")

    def browser(self) -> Browser | None:
        """The person has one."""
        return None

    def keys(self) -> list[str]:
        """Typed on the person's behalf, since they were asked for above."""
        return [self.first, self.second]

    def values(self) -> list[str]:
        """What this program knows; the tokens that GitHub gave are known to the server alone."""
        return [self.first, self.second, self.secret]

    def refreshes(self) -> int:
        """GitHub does not say."""
        return 0

    def rotated(self) -> None:
        """Both keys stay valid."""

    def prove(self, table: proof.Proof) -> None:
        """What the real services saw is known to them alone."""
        print("walkthrough: which credential the real services saw is not visible from here; the audit log names versions", flush=True)

    def stop(self) -> None:
        """Nothing was started."""


def _key(name: str) -> str:
    value = os.environ.get(name) or (getpass.getpass(f"{name}: ") if sys.stdin.isatty() else "")
    if not value:
        raise RuntimeError(f"{name} is not set.\n\n{NEEDED}")
    return value
