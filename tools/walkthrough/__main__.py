"""`make walkthrough`: everything around `examples/walkthrough.py` (or its twin in another language), and the proof.

An empty environment with the wheels, stand-ins for the services (LIVE=1: the real ones), `openmiosa up` on a state folder
and a port of its own, a person who types and clicks, and at the end the table. Nothing of it stays behind.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from tools.docs import transcript
from tools.walkthrough import live, proof, services, system
from tools.walkthrough.person import Person
from tools.walkthrough.programs import PROGRAMS

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = ROOT / "build/walkthrough/venv"


def main() -> int:
    """Run it, tidy up whatever happens, and say how long it took."""
    parser = argparse.ArgumentParser(prog="make walkthrough", description=__doc__)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--started", type=float, default=time.time(), help="when the whole command began, in seconds of the epoch")
    parser.add_argument("--caches", default="warm", help="what the build found: cold, warm, or ready (wheels were given)")
    parser.add_argument("--sdk", choices=sorted(PROGRAMS), default="python", help="the language of the program that walks")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="openmiosa-walkthrough-"))
    run = Run(folder, arguments.wheels.resolve(), arguments.sdk)
    try:
        passed = run.all()
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        passed = False
    except (RuntimeError, OSError) as error:
        print(f"\n{type(error).__name__}: {error}", file=sys.stderr)
        passed = False
    finally:
        run.progress("stopping everything")
        # A second Ctrl-C must not leave half of it running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        run.stop(keep_logs=Path(ROOT, "build/walkthrough/logs"))
        shutil.rmtree(folder, ignore_errors=True)
    whole = time.time() - arguments.started
    build = run.began - arguments.started
    verdict = "passed" if passed else "FAILED"
    print(f"\nwalkthrough in {arguments.sdk}: {verdict} in {whole:.0f} s ({arguments.caches}; {build:.0f} s of it building)")
    if passed and arguments.sdk == "python":
        how_to_go_on()
    return 0 if passed else 1


class Run:
    """One walkthrough with all that it needs."""

    def __init__(self, folder: Path, wheels: Path, sdk: str) -> None:
        self.folder, self.wheels, self.sdk = folder, wheels, sdk
        self.program = PROGRAMS[sdk]
        self.began = time.time()
        self.services: services.StandInServices | live.LiveServices | None = None
        self.system: system.System | None = None
        self.person: Person | None = None
        self.moments: list[proof.AgentSeen] = []
        self.refreshes: list[int] = []
        self.proof = proof.Proof()

    def all(self) -> bool:
        """From the wheels to the table."""
        # egressd runs under an id of its own when root starts it, and passes through here to its journal.
        self.folder.chmod(0o711)
        # What only a person can bring is asked for before anything takes time.
        live_services = live.LiveServices() if os.environ.get("LIVE") == "1" else None
        self.progress("both wheels into an empty environment")
        system.install(self.wheels, ENVIRONMENT, ROOT / "requirements/dev.lock")
        self.program.prepare()
        self.progress(f"template with {' and '.join(system.PACKAGES)}")
        system.build_template(ENVIRONMENT, self.folder)
        # The values are made now: whatever file changed last before this moment cannot hold them.
        self.services = live_services or services.StandInServices(self.folder, ROOT, system.free_port())
        self.progress(f"{self.services.description}; openmiosa up")
        system.configure(self.folder, self.services.port, self.services.upstreams)
        outside = threading.Thread(target=self.services.run_agent_outside, args=(self.proof,), daemon=True)
        outside.start()
        self.system = system.start(ENVIRONMENT, self.folder, self.services.port)
        outside.join()
        self.progress(f"{self.program.source} against {self.system.base_url}")
        status = self._walk()
        troubles = "; ".join(self.person.troubles) if self.person else ""
        self.proof.check(status == 0 and not troubles, Path(self.program.source).name, f"exit status {status} {troubles}")
        if len(self.moments) > 1:
            proof.same_agent(self.proof, self.moments, self.refreshes if self.services.short_lived else None)
        self.services.prove(self.proof)
        if "--device" not in self.services.arguments:
            self._compare_with_the_tutorial()
        return self.proof.show()

    def stop(self, keep_logs: Path) -> None:
        """End what runs, in the order in which nothing complains, and keep the logs of the last run."""
        if self.person:
            self.person.stop()
        if self.system:
            self.system.stop()
        if self.services:
            self.services.stop()
        shutil.rmtree(keep_logs, ignore_errors=True)
        keep_logs.mkdir(parents=True, exist_ok=True)
        for log in [*self.folder.glob("*.log"), *self.folder.glob("state/log/*")]:
            shutil.copy(log, keep_logs / log.name)

    def progress(self, text: str) -> None:
        """What happens now, so that nobody waits in the dark."""
        print(f"walkthrough [{time.time() - self.began:4.1f} s] {text}", flush=True)

    def _walk(self) -> int:
        assert self.services
        assert self.system
        self.person = Person(
            self.services.browser(),
            {
                r"the agent goes on in a loop$": self._note_the_agent,
                r"^\s*rotated ": self.services.rotated,
                r"press Enter": self._look,
                r"still runs, with the same placeholders$": self._note_the_agent,
            },
        )
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # The command line of the wheels is found first: the second process of step 6 is `openmiosa audit tail`.
        kept["PATH"] = f"{ENVIRONMENT / 'bin'}:{kept.get('PATH', os.defpath)}"
        environment = {**kept, "MIOSA_API_KEY": self.system.api_key, "MIOSA_BASE_URL": self.system.base_url}
        command = [*self.program.command(ENVIRONMENT), *self.services.arguments]
        return self.person.run(command, environment, self.services.keys(), self.folder)

    def _compare_with_the_tutorial(self) -> None:
        """The tutorial's outputs are what was printed; it shows the consent in a browser."""
        page = f"docs/tutorial/{self.sdk}.md"
        unlike = transcript.not_printed(ROOT / page, self.person.printed if self.person else [])
        self.proof.check(not unlike, page, f"shows what nobody printed: {unlike[:3]}" if unlike else "shows what was printed")

    def _note_the_agent(self) -> None:
        assert self.services
        self.moments.append(proof.AgentSeen.now())
        self.refreshes.append(self.services.refreshes())

    def _look(self) -> None:
        assert self.services
        assert self.system
        self._note_the_agent()
        with proof.sandbox(self.system.base_url, self.system.api_key, "support-agent") as sandbox:
            proof.nothing_inside(self.proof, sandbox, self.services.values(), self.services.born)
        self._note_the_agent()


def how_to_go_on() -> None:
    """The last lines: from the demonstration to one's own agent."""
    print(
        """
To go on for good:
  python3 -m venv ~/openmiosa && ~/openmiosa/bin/pip install dist/openmiosa*.whl && PATH=~/openmiosa/bin:$PATH
  openmiosa template build agent --pip openai               # whatever your agent imports
  openmiosa up                                              # prints an admin key once, and keeps it for the command line
and in a second terminal, with an agent of your own:
  PATH=~/openmiosa/bin:$PATH
  openmiosa sandbox create my-agent --template agent
  openmiosa secrets set openai_key --sandbox my-agent --expose-as-env OPENAI_API_KEY     # asks for the value
  openmiosa sandbox exec my-agent --stdin -- python3 - < my_agent.py
  openmiosa audit tail my-agent"""
    )


if __name__ == "__main__":
    sys.exit(main())
