"""Documents say what the code does: settings, messages, commands, events, rows."""

import json
import re
import tomllib
from collections.abc import Iterator

import jsonschema
import pytest
from openmiosa_server.settings import ProviderSettings, Settings
from pydantic import BaseModel

from .tree import ROOT, relative, sources, tracked

ROWS = ["N-01", "N-05", "N-06", "N-07", "N-12", "N-13", "D-01", "D-07", "T-01", "T-03", "T-12", "S-01", "S-03", "V-01", "A-01"]
DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "SPECIFICATION.md",
    "CONTRIBUTING.md",
    "STYLE.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs/configuration.md",
    "docs/troubleshooting.md",
    "docs/guides/ca-trust.md",
    "docs/guides/connect-a-provider.md",
    "docs/guides/lockdown.md",
    "docs/guides/white-label.md",
    "docs/README.md",
    "docs/concepts/audit.md",
    "docs/concepts/connections.md",
    "docs/concepts/isolation-and-trust.md",
    "docs/concepts/policies.md",
    "docs/concepts/sandboxes.md",
    "docs/concepts/secrets-and-bindings.md",
    "docs/guides/moving-from-miosa.md",
    "docs/guides/run-a-coding-agent.md",
    "docs/guides/self-hosting.md",
    "docs/guides/testing.md",
    "docs/tutorial/go.md",
    "docs/tutorial/python.md",
    "docs/tutorial/typescript.md",
    "docs/reference/api.md",
    "docs/reference/cli.md",
    "docs/reference/errors.md",
    "docs/reference/events.md",
    "docs/reference/go.md",
    "docs/reference/python.md",
    "docs/reference/typescript.md",
    "docs/decisions/0001-two-of-the-programs-are-rust.md",
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_there(name: str):
    assert (ROOT / name).read_text().strip()


def test_every_setting_is_documented_once():
    said = re.findall(
        r"^\| `((?:server|database|vault|egress|upstream|sandboxes|oauth|log)\.[a-z_.]+)`", _text("docs/configuration.md"), re.MULTILINE
    )
    assert sorted(said) == sorted({*_settings(), *_egress_settings()})


def test_documented_defaults_are_the_real_ones():
    page = _text("docs/configuration.md")
    for name, default in _defaults("", Settings()):
        if isinstance(default, int | float | str) and not isinstance(default, bool):
            row = re.search(rf"^\| `{re.escape(name)}` \| `([^`]*)`", page, re.MULTILINE)
            assert row and row[1] == f"{default:g}" if isinstance(default, float) else row and row[1] == str(default), name


@pytest.mark.parametrize("row", ROWS)
def test_every_promised_row_of_the_catalogue_has_a_test(row: str):
    names = [
        name
        for path in (ROOT / "tests/security").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    ]
    assert [name for name in names if name.startswith(f"test_{row.replace('-', '_')}_")]


def test_every_message_of_the_troubleshooting_page_is_printed_somewhere():
    page = _text("docs/troubleshooting.md")
    tables = page.partition("## No message")[0] + page.partition("## Connected accounts")[2]
    quoted = re.findall(r"^\| `(.+?)` \|", tables, re.MULTILINE)
    code = "\n".join(path.read_text() for path in sources(".py", ".rs") if not relative(path).startswith("tests/"))
    assert len(quoted) > 30
    assert [message for message in quoted if message not in code] == []


def test_every_remedy_of_a_refusal_is_explained():
    code = _text("crates/link/src/reason.rs").partition("pub fn remedy")[2].partition("#[cfg(test)]")[0]
    remedies = re.findall(r'"([^"]+)"', code)
    assert len(remedies) > 15
    assert [remedy for remedy in remedies if f"| `{remedy}` |" not in _text("docs/troubleshooting.md")] == []


def test_every_command_of_the_specification_exists():
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for command in re.findall(r"\| `([^`]+)` \|$", _text("SPECIFICATION.md"), re.MULTILINE):
        if made := re.match(r"make ([a-z-]+)", command):
            assert made[1] in targets, command
        elif chosen := re.search(r"(tests/\S+?)(?: -k (\w+))?$", command):
            assert (ROOT / chosen[1]).exists(), command
            assert not chosen[2] or re.search(rf"def test_\w*{chosen[2]}", tests), command


def test_every_schema_of_the_link_is_a_schema():
    found = sorted((ROOT / "contracts/link").glob("*.schema.json"))
    for path in found:
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
    assert len(found) >= 10


def test_reasons_are_the_same_in_every_place():
    catalogue = set(json.loads(_text("contracts/events.json"))["reasons"])
    schema = json.loads(_text("contracts/link/events.schema.json"))["$defs"]["decision"]["properties"]["reason"]["anyOf"][0]["enum"]
    code = set(re.findall(r'Self::\w+ => "([a-z-]+)"', _text("crates/link/src/reason.rs")))
    readme = _text("contracts/link/README.md").partition("### Reasons of a refusal")[2].partition("Refusals by policy")[0]
    assert catalogue == set(schema) == code == set(re.findall(r"`([a-z]+-[a-z-]+|framing)`", readme))


def test_event_fields_are_those_of_the_shape():
    from openmiosa_server.audit import shape

    source = (ROOT / "server/src/openmiosa_server/audit/shape.py").read_text().partition("def event_of")[2]
    shown = set(re.findall(r'^        "(\w+)":', source, re.MULTILINE))
    assert shape.event_of
    assert set(json.loads(_text("contracts/events.json"))["fields"]) == shown


def test_links_between_documents_lead_somewhere():
    broken = []
    for path in tracked():
        if path.suffix == ".md":
            targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
            broken += [f"{relative(path)} -> {target}" for target in targets if not (path.parent / target).exists()]
    assert broken == []


def test_figures_in_decisions_are_those_of_the_reference_run():
    reference = json.loads(_text("bench/results/reference.json"))
    quoted = re.findall(r"^\| `([\w.]+)` \| ([\d.]+) \|", _text("docs/decisions/0001-two-of-the-programs-are-rust.md"), re.MULTILINE)
    assert quoted
    assert {name: float(value) for name, value in quoted} == {name: reference[name]["value"] for name, _ in quoted}


def test_the_version_is_one():
    workspace = tomllib.loads(_text("Cargo.toml"))["workspace"]["package"]["version"]
    packages = {tomllib.loads(_text(name))["project"].get("version") for name in ("server/pyproject.toml", "sdks/python/pyproject.toml")}
    assert packages - {None} <= {workspace}


def _settings() -> Iterator[str]:
    for section, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        for name in field.annotation.model_fields:
            yield f"{section}.{name}"
    for name in ProviderSettings.model_fields:
        yield f"oauth.providers.{name}"


def _egress_settings() -> list[str]:
    section = _text("crates/proxy/src/settings.rs").partition("pub struct Egress {")[2].partition("\n}")[0]
    return [f"egress.{name}" for name in re.findall(r"pub (\w+):", section)]


def _defaults(prefix: str, model: BaseModel) -> Iterator[tuple[str, object]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _defaults(f"{prefix}{name}.", value)
        else:
            yield prefix + name, value


def _text(name: str) -> str:
    return (ROOT / name).read_text()
