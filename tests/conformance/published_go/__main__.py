"""`make conformance-go MIOSA_GO=FOLDER`: the published Go client, from a checkout of its repository, against the real system.

That client is on no module proxy, so this is no part of `make test`. The checkout is read and never written: a module in
a temporary folder takes it in its place, and needs nothing else but the WebSocket package that the client itself needs.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.conformance.published.ledger import Ledger, Line
from tests.conformance.published.stage import Stage, stage

PROGRAM = Path(__file__).with_name("program")
AGENT = Path(__file__).parents[1] / "published" / "agent.py"
CLIENT = "github.com/Miosa-osa/miosa-go/v2"
# Its stream parser sends a chunked GET body and cannot read an end of stream; no server can serve these.
BROKEN = "Events.Stream, Processes.Stream, Files.Watch, Tenant.StreamEvents"


def main() -> int:
    """Build, drive, print the table."""
    parser = argparse.ArgumentParser(prog="make conformance-go", description=__doc__)
    parser.add_argument("checkout", type=Path, help="the client's repository at the version to try")
    checkout = parser.parse_args().checkout.resolve()
    if not (checkout / "go.mod").is_file():
        print(f"{checkout} is no Go module: name a checkout of the published client's repository", file=sys.stderr)
        return 2
    ledger = Ledger(kinds=("go",), remarks=[f"broken in the client, not driven: {BROKEN}"])
    with tempfile.TemporaryDirectory(prefix="openmiosa-go-") as folder, stage() as made:
        status = drive(build(checkout, Path(folder)), made, ledger)
    print("\n".join([f"published client: Go {version(checkout)}", *ledger.table()]))
    return status


def build(checkout: Path, folder: Path) -> Path:
    """The program, compiled in a module of its own."""
    for source in PROGRAM.glob("*.go"):
        shutil.copy(source, folder)
    needed = re.search(r"github\.com/gorilla/websocket v\S+", (checkout / "go.mod").read_text())
    assert needed, "the client no longer needs what it needed"
    lines = ["module conformance", "go 1.21", f"require {CLIENT} v2.0.2", f"require {needed[0]}", f"replace {CLIENT} => {checkout}"]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    # What the client was released with is what it is tried with.
    shutil.copy(checkout / "go.sum", folder / "go.sum")
    program = folder / "conformance"
    subprocess.run(["go", "build", "-mod=mod", "-o", str(program), "."], cwd=folder, check=True)
    return program


def drive(program: Path, made: Stage, ledger: Ledger) -> int:
    """Run it, answer what it asks, note what it says."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "MIOSA_API_KEY": made.api_key,
        # This client takes the address as it is given.
        "MIOSA_BASE_URL": f"{made.base_url}/api/v1",
        "AGENT": str(AGENT),
    }
    with subprocess.Popen([str(program)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        for text in process.stdout:
            said = json.loads(text)
            if "ask" in said:
                process.stdin.write(json.dumps(answer(made, said["ask"], said["of"])) + "\n")
                process.stdin.flush()
            else:
                note(ledger, said)
    return process.returncode


def answer(made: Stage, question: str, of: str) -> list[str]:
    """What the person, OpenAI or its journal says."""
    if question == "consent":
        made.consent(of)
    elif question == "key":
        return [made.openai_key(of)]
    elif question == "revoke":
        made.revoke(of)
    elif question == "credentials":
        return [call["credential"] for call in made.calls(of)]
    else:
        raise ValueError(f"the program asked {question!r}")
    return []


def note(ledger: Ledger, said: dict[str, Any]) -> None:
    """One step or method."""
    what = "further" if said["row"] == "further" else said["what"]
    line = Line(what, said["name"], said["row"], "go")
    ledger.note(said["name"], [("published", line)], said["passed"])
    if not said["passed"]:
        print(f"{said['name']}: {said['why']}", file=sys.stderr)


def version(checkout: Path) -> str:
    """The version that the client says it is."""
    for source in checkout.glob("*.go"):
        if found := re.search(r'sdkVersion\s*=\s*"([^"]+)"', source.read_text()):
            return found[1]
    return "of an unknown version"


if __name__ == "__main__":
    sys.exit(main())
