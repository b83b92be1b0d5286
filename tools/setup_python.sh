#!/bin/sh
# Make .venv from requirements/dev.lock: an interpreter between 3.11 and 3.14, uv from the lock, then everything else by uv.
# Quick when nothing changed: a stamp holds the hash of the lock and of what is linked in.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${VENV:-$root/.venv}
stamp=$venv/.openmiosa-stamp
wanted=$(cat "$root/requirements/dev.lock" "$root/tools/link_sources.py" "$root/server/pyproject.toml" "$root/sdks/python/pyproject.toml" | sha256sum | cut -d' ' -f1)

if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

find_python() {
    for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3; do
        path=$(command -v "$name") || continue
        "$path" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null && echo "$path" && return
    done
    echo "no Python between 3.11 and 3.14 with venv; python3 -m tools.hostcheck says how to get one" >&2
    return 1
}

if ! [ -x "$venv/bin/python" ]; then
    python=$(find_python)
    echo "setup: Python environment with $python"
    "$python" -m venv "$venv"
fi
if ! [ -x "$venv/bin/uv" ]; then
    # pip knows the lock's hashes too; it installs uv alone, which is ten times as fast for the rest.
    only_uv=$(mktemp)
    awk '/^[a-zA-Z0-9]/ { keep = /^uv==/ } keep && !/^ *#/' "$root/requirements/dev.lock" >"$only_uv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$only_uv"
    rm -f "$only_uv"
fi
echo "setup: Python packages of requirements/dev.lock"
VIRTUAL_ENV=$venv "$venv/bin/uv" pip sync --quiet --require-hashes "$root/requirements/dev.lock"
"$venv/bin/python" "$root/tools/link_sources.py"
echo "$wanted" >"$stamp"
