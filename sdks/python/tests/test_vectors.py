"""The golden cases that every SDK reads: records, errors and streams of `contracts/vectors`."""

import json
from pathlib import Path
from typing import Any

import pytest
from openmiosa import MiosaError, errors, models

VECTORS = Path(__file__).resolve().parents[3] / "contracts/vectors"


def cases(name: str) -> list[Any]:
    """The cases of one file, each under its own name."""
    return [pytest.param(case, id=case["name"]) for case in json.loads((VECTORS / f"{name}.json").read_text())[name]]


def said(value: Any) -> Any:
    """JSON without members that are null: here null and absent are the same."""
    if isinstance(value, dict):
        return {name: said(item) for name, item in value.items() if item is not None}
    return [said(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", cases("records"))
def test_a_record_comes_back_as_it_went_in(case):
    record = getattr(models, case["model"]).from_json(case["json"])
    assert said(record.to_json()) == said(case["json"])


def test_every_model_has_a_record():
    used = {case["model"] for case in json.loads((VECTORS / "records.json").read_text())["records"]}
    parts = {"Record", "OutputEvent", "TerminalOutput", "RequestTransforms", "SecretTransforms", "SecretUse", "ResourceContract"}
    parts |= {"Calls", "Limits", "Made"}
    assert set(models.__all__) - parts == used


@pytest.mark.parametrize("case", cases("errors"))
def test_an_answer_becomes_its_error(server, client, case):
    server.on("GET", "/whoami", server.reply(case["status"], case["body"].encode(), case["headers"]))
    client._transport.max_retries = 0
    with pytest.raises(errors.APIError) as caught:
        client.whoami()
    error = caught.value
    assert type(error) is getattr(errors, case["error"])
    read = {name: getattr(error, name) for name in ("status", "code", "message", "retry", "retry_after", "request_id", "details")}
    assert read == {name: case[name] for name in read}


def test_every_error_of_an_answer_has_a_case():
    classes = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.APIError)}
    assert {kind.__name__ for kind in classes} == {case["error"] for case in json.loads((VECTORS / "errors.json").read_text())["errors"]}


@pytest.mark.parametrize("case", cases("streams"))
def test_a_stream_is_read_whatever_its_chunks_are(server, client, sandbox, case):
    chunks = [chunk.encode("latin-1") for chunk in case["chunks"]]
    for method, path in ROUTES.values():
        server.streams(method, path, *chunks)
    found: list[Any] = []
    error = None
    try:
        for event in READERS[case["kind"]](client, sandbox):
            found.append(event)
            if case["kind"] == "tail" and not case["error"] and len(found) == len(case["events"]):
                break  # A tail has no end of its own.
    except MiosaError as raised:
        error = raised
    assert said(found) == said(case["events"])
    assert _as_said(error, case["error"]) == case["error"]


ROUTES = {
    "sse": ("GET", "/any"),
    "exec": ("POST", "/sandboxes/sbx_1/exec/stream"),
    "tail": ("GET", "/sandboxes/sbx_1/audit/stream"),
    "process": ("GET", "/sandboxes/sbx_1/processes/5/stream"),
    "watch": ("GET", "/sandboxes/sbx_1/files/watch"),
}


def _frames(client: Any, _: Any) -> Any:
    with client._transport.events("GET", "any") as frames:
        for frame in frames:
            yield {"event": frame.event, "id": frame.id or None, "data": frame.data}


def _output(_: Any, sandbox: Any) -> Any:
    for event in sandbox.exec.stream("x"):
        yield {"type": event.type, "data": event.data, "exit_code": event.exit_code}


READERS: dict[str, Any] = {
    "sse": _frames,
    "exec": _output,
    "tail": lambda _, sandbox: (event.to_json() for event in sandbox.audit.tail(after="evt_00", reconnect_timeout=0)),
    "process": lambda _, sandbox: sandbox.processes.stream(5),
    "watch": lambda _, sandbox: (change.to_json() for change in sandbox.files.watch()),
}


def _as_said(error: MiosaError | None, wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    if error is None:
        return None
    known = {"error": type(error).__name__, **{name: getattr(error, name, None) for name in ("code", "message", "retry")}}
    return {name: known[name] for name in wanted or known}
