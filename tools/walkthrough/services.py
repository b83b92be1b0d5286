"""The services of the demonstration: the stand-ins, with values made for this run."""

import hashlib
import os
import secrets
import sys
import time
from pathlib import Path

from tools.walkthrough import proof
from tools.walkthrough.control import StandIns
from tools.walkthrough.outside import bare_environment, run_with_names
from tools.walkthrough.person import Browser
from tools.walkthrough.system import Upstreams

CALLBACK = "http://127.0.0.1:{}/api/v1/egress/oauth/callback"


class StandInServices:
    """Stand-ins under the real names, two OpenAI keys, and a registered GitHub App."""

    description = "stand-ins for api.openai.com, api.github.com and github.com, real TLS under the real names"
    short_lived = True

    def __init__(self, folder: Path, root: Path, port: int) -> None:
        self.port, self.root = port, root
        self.arguments = ("--device",) if os.environ.get("DEVICE") == "1" else ()
        self.born = time.time()
        self.old, self.new = (f"sk-proj-{secrets.token_urlsafe(48)}" for _ in range(2))
        client_id, client_secret = f"Iv23li{secrets.token_hex(7)}", secrets.token_hex(20)
        self.standins = StandIns(folder / "standins", root)
        self.standins.accept_openai_keys(old=self.old, new=self.new)
        self.standins.register_app(client_id, client_secret, CALLBACK.format(port))
        self.upstreams = Upstreams(client_id, client_secret, self.standins.ca_file, self.standins.hosts)
        self.before = 0

    def run_agent_outside(self, table: proof.Proof) -> None:
        """The same file on the bare machine, with real values in the same two variables."""
        agent = self.root / "examples/agent.py"
        digest = hashlib.sha256(agent.read_bytes()).hexdigest()
        environment = bare_environment(
            OPENAI_API_KEY=self.old,
            GITHUB_TOKEN=self.standins.personal_token(),
            SSL_CERT_FILE=str(self.standins.ca_file),
            REQUESTS_CA_BUNDLE=str(self.standins.ca_file),
        )
        try:
            output = run_with_names([sys.executable, str(agent)], self.standins.hosts, environment)
        except (RuntimeError, OSError) as error:
            table.check(False, "agent.py outside, with real values", str(error))
        else:
            drafts = output.count("Thank you for the report")
            table.check(drafts == 3, "agent.py outside, with real values", f"{drafts} drafts, sha256 {digest[:16]}…")
        self.before = len(self.standins.journal()["entries"])

    def browser(self) -> Browser:
        """What the person clicks in."""
        return Browser(self.standins.hosts, self.standins.ca_file)

    def keys(self) -> list[str]:
        """What the person types."""
        return [self.old, self.new]

    def values(self) -> list[str]:
        """Every real value that exists right now."""
        return self.standins.values()

    def refreshes(self) -> int:
        """How often GitHub's token was renewed so far."""
        return int(self.standins.journal()["refreshes"])

    def rotated(self) -> None:
        """The old key is worth nothing from this moment on: whoever still used it would be answered 401."""
        self.standins.accept_openai_keys(new=self.new)

    def prove(self, table: proof.Proof) -> None:
        """What the stand-ins saw since the agent ran outside."""
        journal = self.standins.journal()
        proof.credentials(table, {"entries": journal["entries"][self.before :]})

    def stop(self) -> None:
        """End the stand-ins."""
        self.standins.stop()
