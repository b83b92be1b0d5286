"""What no tracked file may hold: addresses of registries, paths of a machine, unsafe code outside its crate."""

import re
import tomllib

from .tree import ROOT, relative, sources, tracked

# Written in pieces so that this file does not find itself.
_REGISTRY_PIECES = [
    ("py", r"pi\.org"),
    ("crates", r"\.io/api"),
    ("static", r"\.crates\.io"),
    ("registry", r"\.npmjs"),
    ("proxy", r"\.golang\.org"),
    ("deb", r"\.debian\.org"),
    ("files", r"\.pythonhosted"),
    ("index", r"\.crates"),
    ("--index", "-url"),
    ("--extra-index", "-url"),
]
_MACHINE_PIECES = [
    (r"(?<![\w.$}/-])/", r"work/(main|shared|bin|target)"),
    (r"(?<![\w.$}/-])/", r"root/(?!\.\.)[a-z]"),
    ("/opt/", "venv"),
    ("/home/", r"(?!openmiosa|agent|user|you|me|\$|<)[a-z]+/"),
]
REGISTRIES = re.compile("|".join(head + tail for head, tail in _REGISTRY_PIECES))
MACHINE = re.compile("|".join(head + tail for head, tail in _MACHINE_PIECES))
UNSAFE = re.compile(r"\bunsafe\s+(\{|fn|impl|extern)|allow\(unsafe_code\)")
# Cargo's own word for its default registry is a name in the lock format, not an address that anybody configured.
CARGO_SOURCE = 'source = "registry+https://github.com/rust-lang/crates.io-index"'


def test_no_file_names_a_registry():
    assert _found(REGISTRIES) == []


def test_no_file_names_a_path_of_one_machine():
    assert _found(MACHINE) == []


def test_the_cargo_lock_names_no_registry_but_the_default():
    sources = {package.get("source") for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    assert sources - {None} == {CARGO_SOURCE.split('"')[1]}


def test_python_locks_hold_names_and_versions_only():
    for path in (ROOT / "requirements").glob("*.lock"):
        addresses = [line for line in path.read_text().splitlines() if "://" in line]
        assert addresses == [], relative(path)


def test_no_unsafe_outside_sys():
    elsewhere = [path for path in sources(".rs") if not relative(path).startswith("crates/sys/")]
    outside = [relative(path) for path in elsewhere if UNSAFE.search(path.read_text())]
    assert outside == []


def test_no_tracked_file_is_a_build_product():
    products = [relative(path) for path in tracked() if path.suffix in {".pyc", ".so", ".o", ".whl", ".db"}]
    assert products == []


def test_one_cargo_profile_serves_tests_and_walkthrough():
    profiles = tomllib.loads((ROOT / "Cargo.toml").read_text()).get("profile", {})
    assert set(profiles) <= {"release"}
    called = [path for path in tracked() if path.name in {"Makefile", "run"} or (path.suffix in {".sh", ".py"} and "tools" in path.parts)]
    lines = [line for path in called for line in path.read_text().splitlines() if re.search(r"cargo (build|test|clippy|run)\b", line)]
    assert lines
    assert [line for line in lines if "--release" not in line] == []


def test_nothing_is_skipped_or_expected_to_fail():
    words = re.compile(r"pytest\.mark\.(skip|xfail|skipif)|pytest\.skip\(|pytest\.importorskip|unittest\.skip|#\[" + "ignore")
    said = [relative(path) for path in sources(".py", ".rs") if words.search(path.read_text()) and path.name != "test_tracked_files.py"]
    assert said == []


def _found(pattern: re.Pattern[str]) -> list[str]:
    said = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if pattern.search(line) and line != CARGO_SOURCE]
        said += [f"{relative(path)}:{number}: {line.strip()[:100]}" for number, line in lines]
    return said
