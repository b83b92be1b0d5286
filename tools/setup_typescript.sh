#!/bin/sh
# Install what the TypeScript SDK and its example are built with, and build both. Quick when nothing changed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

for folder in "$root/sdks/typescript" "$root/examples/typescript"; do
    wanted=$(cat "$folder/package-lock.json" | sha256sum | cut -d' ' -f1)
    if [ "$(cat "$folder/node_modules/.openmiosa-stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "setup: npm packages of ${folder#"$root"/}/package-lock.json"
        (cd "$folder" && npm ci --silent --no-audit --no-fund)
        echo "$wanted" >"$folder/node_modules/.openmiosa-stamp"
    fi
    (cd "$folder" && npm run --silent build)
done
