#!/bin/sh
# Packs the committed plugin as build/statgrid-VERSION.zip and refuses what the official plugin repository refuses.
set -eu
cd "$(dirname "$0")/.."

stop() {
    echo "No zip: $*" >&2
    rm -f "${zip:-}"
    exit 1
}

[ -f metadata.txt ] || stop "metadata.txt is missing."
version=$(sed -n 's/^version *= *//p' metadata.txt)
[ -n "$version" ] || stop "metadata.txt names no version."
git diff --quiet HEAD -- || echo "Note: the zip holds the last commit; uncommitted edits are not in it." >&2

mkdir -p build
zip=build/statgrid-$version.zip
git archive --format=zip --prefix=statgrid/ --output="$zip" HEAD

size=$(wc -c <"$zip")
[ "$size" -le 25000000 ] || stop "it would have $size bytes; the plugin repository takes 25 MB."
unwanted=$(git archive --prefix=statgrid/ HEAD | tar -t |
    grep -E '__pycache__|\.(pyc|pyo|pyd|so|dll|dylib|exe|a|o|bin|jar|whl)$|/\.git|/\.venv|/build/' || true)
[ -z "$unwanted" ] || stop "it would contain" $unwanted
for needed in __init__.py metadata.txt LICENSE; do
    git archive --prefix=statgrid/ HEAD | tar -t | grep -qx "statgrid/$needed" || stop "$needed would be missing."
done
echo "$zip ($size bytes)"
