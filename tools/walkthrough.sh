#!/bin/sh
# Check the host, build what changed, then run the walkthrough. WHEELS=DIR uses wheels that are there already; SDK=typescript or
# SDK=go runs the program in that language.
set -eu
cd "$(dirname "$0")/.."
started=$(date +%s)
[ "${SDK:-python}" = python ] || python3 -m tools.hostcheck --quiet --no-build --sdks
if [ -n "${WHEELS:-}" ]; then
    python3 -m tools.hostcheck --quiet --no-build
    tools/setup_python.sh
else
    WHEELS=dist
    [ -d dist ] && warm=warm || warm=cold
    "${MAKE:-make}" --no-print-directory dist
fi
exec .venv/bin/python -m tools.walkthrough --wheels "$WHEELS" --started "$started" --caches "${warm:-ready}" --sdk "${SDK:-python}"
