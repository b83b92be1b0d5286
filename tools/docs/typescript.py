"""The page of the TypeScript SDK, from the doc comments of its sources."""

import re
from collections.abc import Iterator
from pathlib import Path

SOURCES = "sdks/typescript/src"
HEAD = """# TypeScript

`npm install openmiosa`, Node.js 20 or later; the tail also runs in browsers. ESM, no dependency.

This page is made from the doc comments of the sources. Names are those of [Python](python.md) in camel case.
"""
# Imported as openmiosa/testing and openmiosa/node.
ENTRIES = ("testing.ts", "node.ts")
_KIND = re.compile(r"export (?:abstract )?(?:declare )?(?:async )?(class|interface|function|const|type) (\w+)")
_HIDDEN = re.compile(r"^\s*(private|#|protected|static from|@internal)|@internal")


def page(root: Path) -> str:
    """The whole page."""
    said = [HEAD]
    sources = root / SOURCES
    index = (sources / "index.ts").read_text()
    whole = {sources / f"{name}.ts" for name in re.findall(r'export \* from "\./([\w/]+)\.js"', index)}
    exported = set(re.findall(r"\b\w+\b", index + "".join(path.read_text() for path in whole if path.name == "index.ts")))
    for path in sorted(sources.rglob("*.ts"), key=lambda path: (len(path.parts), path)):
        text = path.read_text()
        everything = path.name in ENTRIES or path in whole
        inside = list(_file(text, {kind[2] for kind in _KIND.finditer(text)} if everything else exported))
        if inside:
            said += [f"## {' '.join(path.relative_to(sources).with_suffix('').parts)}\n", *inside]
    return "\n".join(said)


def _file(text: str, exported: set[str]) -> Iterator[str]:
    """Exported things with their documented members; what is not exported from the package is left out."""
    owner = None
    for indent, doc, declared in _documented(text):
        code = _head(declared)
        if not indent:
            kind = _KIND.search(declared)
            shown = kind is not None and kind[2] in exported
            # The members of a class follow one by one, those of an interface stand in its block.
            owner = kind[2] if kind and shown and kind[1] == "class" else None
            if kind and shown:
                yield f"### {kind[2]}\n\n{doc}\n"
                if kind[1] == "interface":
                    yield f"```typescript\n{_whole(text, declared)}\n```\n"
                elif kind[1] != "class":
                    yield f"```typescript\n{code}\n```\n"
        elif owner and indent == 2 and not _HIDDEN.search(code) and not _HIDDEN.search(doc):
            yield f"```typescript\n{code}\n```\n\n{doc}\n"


def _documented(text: str) -> Iterator[tuple[int, str, str]]:
    """Every doc comment with its indent and the declaration that follows it."""
    lines = iter(text.splitlines())
    for line in lines:
        if not line.lstrip().startswith("/**"):
            continue
        comment = [line]
        while not comment[-1].rstrip().endswith("*/"):
            comment.append(next(lines))
        doc = " ".join(" ".join(one.strip().removeprefix("/**").removesuffix("*/").lstrip("* ").strip() for one in comment).split())
        code = [next(lines, "")]
        while code[-1] and not (code[-1].rstrip().endswith(("{", ";", ",")) and _closed("".join(code))):
            code.append(next(lines, ""))
        yield len(line) - len(line.lstrip()), doc, "\n".join(code)


def _whole(text: str, declared: str) -> str:
    """An interface to its end."""
    if declared.rstrip().endswith("}"):
        return declared.removeprefix("export ")
    return f"{declared}{text.partition(declared)[2].partition(chr(10) + '}')[0]}\n}}".removeprefix("export ")


def _closed(code: str) -> bool:
    return code.count("(") == code.count(")")


def _head(code: str) -> str:
    """A declaration without its body."""
    lines = [line.strip() for line in code.strip().splitlines()]
    whole = " ".join(lines)
    depth = 0
    for index, sign in enumerate(whole):
        depth += (sign in "([") - (sign in ")]")
        # The brace of a body follows a blank; one of a type follows a colon or a bar.
        if sign == "{" and depth == 0 and whole[:index].rstrip()[-1:] not in (":", "|", "<", "="):
            return whole[:index].removeprefix("export ").strip()
    return whole.removeprefix("export ").rstrip("{;, ").strip()
