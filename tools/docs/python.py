"""The page of the Python SDK, from its docstrings and signatures: what `import openmiosa` gives, read and not run."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "sdks/python/src/openmiosa"
HEAD = """# Python

`pip install openmiosa`, Python 3.11 or later. `Miosa` and everything that hangs on it is synchronous;
`AsyncMiosa` has the same methods, awaited, and its lists and tails are asynchronous iterators.

This page is made from the docstrings. The tree of exceptions is in [errors](errors.md).
"""
# Where a reader finds what in the program: the modules of the surface, in the order of the nouns.
MODULES = (
    ("client", "client"),
    ("sandboxes", "sandboxes"),
    ("sandbox", "one sandbox"),
    ("exec", "exec and processes"),
    ("files", "files"),
    ("env", "env"),
    ("snapshots", "snapshots"),
    ("previews", "previews"),
    ("terminal", "terminal"),
    ("secrets", "secrets"),
    ("connection", "connections"),
    ("network", "network"),
    ("audit", "audit"),
    ("tail", "tail"),
    ("keys", "API keys"),
    ("pages", "pages"),
)


def page(root: Path) -> str:
    """The whole page."""
    package = root / PACKAGE
    constants = _Constants(package)
    said = [HEAD]
    known = {name for name, _ in MODULES}
    more = sorted(path.stem for path in (package / "_sync").glob("*.py") if path.stem not in known | {"__init__", "transport"})
    for name, title in (*MODULES, *((name, name.replace("_", " ")) for name in more)):
        path = package / "_sync" / f"{name}.py"
        if path.exists():
            said += [f"## {title}\n", *_module(constants.parsed(path))]
    said += ["## progress of files\n", *_aliases(ast.parse((package / "_local.py").read_text()))]
    said.append(
        "## models\n\nFrozen records. Fields that this version does not know are in `unknown`; `to_json()` gives a record back as JSON.\n"
    )
    for path in sorted((package / "models").glob("*.py")):
        if path.stem not in ("__init__", "record"):
            said += _models(path)
    said.append("## testing\n")
    said += _module(constants.parsed(package / "testing/__init__.py"))
    return "\n".join(said)


def _module(tree: ast.Module) -> Iterator[str]:
    yield from _aliases(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield f"### {node.name}\n\n{_doc(node)}\n"
            yield from _members(node)


def _aliases(tree: ast.Module) -> Iterator[str]:
    """Names for types, which signatures use."""
    for node in tree.body:
        named = isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp | ast.Subscript) and ast.unparse(node.targets[0])
        if named and not named.startswith("_") and not named.isupper():
            yield f"```python\n{ast.unparse(node)}\n```\n"


def _members(kind: ast.ClassDef) -> Iterator[str]:
    for node in kind.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
            not node.name.startswith("_") or node.name in ("__init__", "__call__")
        ):
            if node.name == "__init__" and not node.args.args[1:] and not node.args.kwonlyargs:
                continue
            if _is("overload", node) or _takes_private(node):
                continue
            if _is("property", node):
                yield f"`{node.name}`: {_doc(node)}\n"
            else:
                yield f"```python\n{_signature(kind.name, node)}\n```\n\n{_doc(node)}\n"


def _models(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
            yield f"### {node.name}\n\n{_doc(node)}\n"
            if fields:
                yield "```python\n" + "\n".join(_field(one) for one in fields) + "\n```\n"
            yield from (f"`{one.name}`: {_doc(one)}\n" for one in node.body if isinstance(one, ast.FunctionDef) and _is("property", one))


def _field(node: ast.AnnAssign) -> str:
    """A field with its default, which a dataclass may have wrapped."""
    value = node.value
    if isinstance(value, ast.Call):
        given = {one.arg: one.value for one in value.keywords}
        made = given.get("default_factory")
        value = ast.Call(func=made, args=[], keywords=[]) if made is not None else given.get("default")
    shown = f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"
    return shown if value is None else f"{shown} = {ast.unparse(value)}"


def _signature(owner: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    arguments = ast.arguments(
        posonlyargs=[one for one in node.args.posonlyargs if one.arg != "self"],
        args=[one for one in node.args.args if one.arg != "self"],
        vararg=node.args.vararg,
        kwonlyargs=node.args.kwonlyargs,
        kw_defaults=node.args.kw_defaults,
        kwarg=node.args.kwarg,
        defaults=node.args.defaults,
    )
    name = {"__init__": owner, "__call__": "()"}.get(node.name, node.name)
    shown = f"({ast.unparse(arguments)})"
    result = f" -> {ast.unparse(node.returns)}" if node.returns is not None and node.name != "__init__" else ""
    # `()` stands for calling the thing itself, as in sandbox.exec(...).
    whole = f"def {'__call__' if name == '()' else name}{shown}{result}: ..."
    return whole if len(whole) <= 120 else _broken(whole)


def _broken(whole: str) -> str:
    """A long signature with an argument a line."""
    tree = ast.parse(whole).body[0]
    assert isinstance(tree, ast.FunctionDef)
    parts: list[str] = []
    given = tree.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    parts += [_argument(one, default) for one, default in zip(plain, defaults, strict=True)]
    if given.vararg:
        parts.append("*" + ast.unparse(given.vararg))
    elif given.kwonlyargs:
        parts.append("*")
    parts += [_argument(one, default) for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        parts.append("**" + ast.unparse(given.kwarg))
    result = f" -> {ast.unparse(tree.returns)}" if tree.returns is not None else ""
    return f"def {tree.name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}: ..."


def _argument(one: ast.arg, default: ast.expr | None) -> str:
    shown = ast.unparse(one)
    return shown if default is None else f"{shown}{' = ' if one.annotation else '='}{ast.unparse(default)}"


def _takes_private(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Constructors that only the package itself calls."""
    return node.name == "__init__" and any(one.arg == "transport" for one in node.args.args)


def _is(mark: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == mark for one in node.decorator_list)


def _doc(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    return ast.get_docstring(node) or ""


class _Constants(ast.NodeTransformer):
    """Puts the values of a package's constants in their place: a reader wants 60.0, and not a name."""

    def __init__(self, package: Path) -> None:
        self._known = {
            node.targets[0].id: node.value
            for path in sorted(package.rglob("*.py"))
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Constant)
        }

    def parsed(self, path: Path) -> ast.Module:
        """A module with constants as values in all signatures."""
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.arguments):
                self.visit(node)
        return tree

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A constant's value, or the name itself."""
        return self._known.get(node.id, node)
