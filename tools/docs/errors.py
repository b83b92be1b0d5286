"""The page of errors: codes from the server's source, sentences from errors.toml, classes from the Python SDK."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from openmiosa.errors import api_error
from openmiosa_server import errors

HERE = Path(__file__).parent
TITLES = {
    "requests": "Any request",
    "sandboxes": "Sandboxes, commands, files, templates",
    "secrets": "Secrets and keys",
    "connections": "Connections",
    "policies": "Policies and audit",
    "start": "When the server starts or stops",
}
HEAD = """# Errors

Every error of the API has this form; `code` is stable and for programs, `message` says what to do and is for people:

```json
{"error": {"code": "NAME_TAKEN", "message": "…", "details": {"field": "name"}, "retry": false, "retryable": false, "request_id": "req_…"}}
```

`retry` says whether the same request may succeed later; `retry_after` how many seconds to wait. The SDKs raise one tree of
exceptions, catchable at two levels; TypeScript and Go have the same names. Each has
`code`, `message`, `status`, `request_id`, `retry`, `retry_after` and `details`. In Python:

```text
{tree}
```

What a *sandbox* sees of a refused call is not of this list: see [events](events.md) and [troubleshooting](../troubleshooting.md).
"""


def page(root: Path) -> str:
    """The whole page."""
    tree = (ast.get_docstring(ast.parse((root / "sdks/python/src/openmiosa/errors.py").read_text())) or "").partition("\n\n")[2]
    said = [HEAD.replace("{tree}", tree.rstrip())]
    statuses = codes(root)
    for section, sentences in tomllib.loads((HERE / "errors.toml").read_text()).items():
        said += [f"## {TITLES[section]}\n", "| code | status | exception | meaning, and what to do |", "|---|---|---|---|"]
        for code, sentence in sorted(sentences.items()):
            status = statuses.get(code, 0)
            kind = type(api_error(status, {"error": {"code": code, "message": ""}}, {})).__name__
            said.append(f"| `{code}` | {status} | `{kind}` | {sentence} |")
        said.append("")
    return "\n".join(said)


def described() -> set[str]:
    """The codes that have a sentence."""
    return {code for sentences in tomllib.loads((HERE / "errors.toml").read_text()).values() for code in sentences}


def codes(root: Path) -> dict[str, int]:
    """Every code that the server's source can answer, with its status; the link's own, in lower case, left out."""
    found: dict[str, int] = {}
    for path in sorted((root / "server/src/openmiosa_server").rglob("*.py")):
        for code, status in _in_module(ast.parse(path.read_text())):
            if code.isupper():
                found.setdefault(code, status)
    return found


def _in_module(tree: ast.Module) -> Iterator[tuple[str, int]]:
    kinds = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.OpenMiosaError)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (own := _own_kind(node, kinds)):
            yield own
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Name) and node.elts[0].id in kinds:
            # A table of other programs' codes and ours.
            if isinstance(node.elts[1], ast.Constant) and isinstance(node.elts[1].value, str):
                yield node.elts[1].value, kinds[node.elts[0].id].default_status
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
            given = {one.arg: one.value for one in node.keywords}
            status = given.get("status")
            known = (
                status.value if isinstance(status, ast.Constant) and isinstance(status.value, int) else kinds[node.func.id].default_status
            )
            said = (
                [one.value for one in ast.walk(given["code"]) if isinstance(one, ast.Constant)]
                if "code" in given
                else [kinds[node.func.id].default_code]
            )
            yield from ((code, known) for code in said if isinstance(code, str) and code.replace("_", "").isalnum())


def _own_kind(node: ast.ClassDef, kinds: dict[str, type[errors.OpenMiosaError]]) -> tuple[str, int] | None:
    """A class that a module derives for itself, with a code of its own."""
    bases = [kinds[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in kinds]
    set_ = {
        one.targets[0].id: one.value.value
        for one in node.body
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and isinstance(one.value, ast.Constant)
    }
    if not bases or "default_code" not in set_:
        return None
    return str(set_["default_code"]), int(str(set_.get("default_status", bases[0].default_status)))
