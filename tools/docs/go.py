"""The page of the Go SDK, from the doc comments of its sources; it needs no Go toolchain."""

import re
from collections import defaultdict
from pathlib import Path

SOURCES = "sdks/go"
HEAD = """# Go

Package `openmiosa`, standard library only; the terminal's WebSocket is in a package of its own.
`openmiosa.NewClient` is where everything starts.

This page is made from the doc comments of the sources, as `go doc -all` shows them.
"""
_FUNCTION = re.compile(
    r"(?P<doc>(?:^//.*\n)+)^func (?:\((?:\w+ )?\*?(?P<owner>\w+)(?:\[\w+\])?\) )?(?P<name>[A-Z]\w*)(?P<rest>[^\n]*?) ?\{?\n", re.MULTILINE
)
_ONE_LINE = re.compile(r" \{ .*\}$")
_TYPE = re.compile(r"(?P<doc>(?:^//.*\n)+)^type (?P<name>[A-Z]\w*)(?P<rest>[^\n]*)\n(?P<body>(?:^\t.*\n|^\n)*)", re.MULTILINE)


def page(root: Path) -> str:
    """The whole page."""
    said = [HEAD]
    packages = {path.parent for path in (root / SOURCES).rglob("*.go") if not path.name.endswith("_test.go")}
    for package in sorted(packages):
        parts = package.relative_to(root / SOURCES).parts
        if "internal" not in parts and "testdata" not in parts:
            said += _package("/".join(("openmiosa", *parts)), package)
    return "\n".join(said)


def _package(name: str, folder: Path) -> list[str]:
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.go")) if not path.name.endswith("_test.go"))
    methods: dict[str, list[str]] = defaultdict(list)
    for found in _FUNCTION.finditer(text):
        owner = found["owner"] or ""
        head = f"func {f'({owner}) ' if owner else ''}{found['name']}{_ONE_LINE.sub('', found['rest']).rstrip(' {')}"
        methods[owner].append(f"```go\n{head}\n```\n\n{_doc(found['doc'])}\n")
    said = [f"## package {name}\n", *methods.pop("", [])]
    for found in sorted(_TYPE.finditer(text), key=lambda one: one["name"]):
        said += [f"### {found['name']}\n", f"{_doc(found['doc'])}\n", *_fields(found), *methods.pop(found["name"], [])]
    return said


def _fields(found: re.Match[str]) -> list[str]:
    kept = [line for line in found["body"].splitlines() if re.match(r"\t(?:[A-Z]\w*|//)", line)]
    if not found["rest"].lstrip(" ").startswith("struct") or not kept or all(line.startswith("\t//") for line in kept):
        return []
    inside = "\n".join(line.expandtabs(4) for line in kept)
    return [f"```go\ntype {found['name']} struct {{\n{inside}\n}}\n```\n"]


def _doc(text: str) -> str:
    return " ".join(line.removeprefix("//").strip() for line in text.splitlines() if not line.startswith(("//go:", "//nolint"))).strip()
