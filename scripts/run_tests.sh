#!/bin/sh
# Runs pytest with a QGIS profile of its own, so that the user's profile and plugins are neither read nor changed.
# Usage: scripts/run_tests.sh PYTHON [pytest's arguments]
set -eu
cd "$(dirname "$0")/.."
python=$1
shift

# QGIS finds the checkout as the plugin `statgrid` through this link.
mkdir -p build/link
ln -sfn ../.. build/link/statgrid

# Everything that would land in the user's home lands in here, and nothing of an earlier run is found.
own=$(mktemp -d "$PWD/build/test-run.XXXXXX")
trap 'rm -rf "$own"' EXIT
trap 'exit 130' INT TERM

export QT_QPA_PLATFORM=offscreen
# Started by an environment's Python, a newer QGIS would look for its own files in that environment.
[ ! -d /usr/share/qgis/python/plugins ] || export QGIS_PREFIX_PATH="${QGIS_PREFIX_PATH:-/usr}"
export QGIS_CUSTOM_CONFIG_PATH="$own/profile"
export QGIS_PLUGINPATH="$PWD/build/link"
export XDG_RUNTIME_DIR="$own"
export MPLCONFIGDIR="$PWD/build/matplotlib"             # the font cache takes seconds to make; this one stays
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}" # TensorFlow's start-up chatter, down to errors

"$python" -m pytest "$@"
