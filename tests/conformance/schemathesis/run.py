"""One run of schemathesis: its settings, the process, its report."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tomlkit

from ..objects import Objects

CONTRACT = Path(__file__).parents[3] / "contracts" / "openapi.json"
SECONDS = os.environ.get("OPENMIOSA_SCHEMATHESIS_SECONDS", "75")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    # Not allow_header_conformance: `DELETE /api-keys/presets` is served by `/api-keys/{api_key}`, so Allow says so, and the check knows
    # one template at a time. That a 405 names what is offered is in the server's own tests.
)
KINDS = ("key", "secret", "binding", "rule", "policy", "snapshot", "preview", "process", "api_key", "event")
# Streams without an end: what they answer is in test_answers; here they are asked about a thing that is not there.
ENDLESS = ["audit.tail", "audit.tail_compat", "files.watch", "processes.stream", "sandboxes.logs_stream"]
# What an installation on one machine cannot do is 501, and a provider that is not there is 502.
EXPECTED = {
    501: ["previews.token", "previews.share", "previews.share_one", "previews.unshare_one"],
    502: ["oauth.start", "oauth.machine", "secrets.reauthorize"],
}


def settings(objects: Objects) -> dict[str, Any]:
    """Real ids for the paths, and what is expected to answer 5xx."""
    expected = [
        {"include-operation-id": names, "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", status]}}}
        for status, names in EXPECTED.items()
    ]
    return {
        "headers": {"Authorization": f"Bearer {objects.admin}"},
        "parameters": {f"path.{kind}": objects.ids[kind] for kind in KINDS},
        "continue-on-failure": True,
        "request-timeout": 30,
        "max-stream-events": 2,
        "color": False,
        "cache": {"enabled": False},
        "operations": [*expected, {"include-operation-id": ENDLESS, "parameters": {"path.key": "none", "path.process": "none"}}],
    }


def run(objects: Objects, folder: Path) -> tuple[dict[str, Any], str]:
    """The report, and what was printed."""
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(tomlkit.dumps(settings(objects)))
    command = [sys.executable, "-W", "ignore", "-m", "schemathesis.cli", "--config-file", str(config), "run", str(CONTRACT)]
    command += ["--url", f"{objects.world.system.base_url}/api/v1", "--phases", "examples,coverage", "--checks", ",".join(CHECKS)]
    command += ["--exclude-tag", "health", "--exclude-operation-id", "audit.tail_all", "--generation-deterministic", "--no-shrink"]
    command += ["--max-time", SECONDS, "--report", "json", "--report-json-path", str(report)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=int(SECONDS) + 100, check=False)
    assert report.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(report.read_text()), done.stdout
