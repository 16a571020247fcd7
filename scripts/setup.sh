#!/bin/sh
# Makes a checkout ready to run: QGIS and its Python packages from the system, the rest in `.venv`.
# Usage: scripts/setup.sh [packages|environment]     both when nothing is named
set -eu
cd "$(dirname "$0")/.."

# The Python QGIS was built for, which is rarely the first one on PATH where pyenv or conda are in use.
python=${QGIS_PYTHON:-/usr/bin/python3}

# qgis pulls in its providers and their libraries; the rest is what StatGrid itself imports or runs.
packages="qgis python3-qgis qgis-providers python3-gdal gdal-bin python3-numpy python3-matplotlib
python3-jinja2 python3-venv ca-certificates"

stop() {
    echo "Set-up stopped: $*" >&2
    exit 1
}

missing_packages() {
    for package in $packages; do
        # shellcheck disable=SC2016
        state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
        [ "$state" = "install ok installed" ] || printf '%s ' "$package"
    done
}

install_packages() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        "$python" -c "import qgis.core, osgeo.gdal, numpy, venv" 2>/dev/null || stop "this system has no apt, and" \
            "$python cannot import qgis and osgeo. Install QGIS 3.22 or newer and name its Python:" \
            "make setup QGIS_PYTHON=..."
        return
    fi
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null; then
        as_root="sudo"
    else
        stop "these system packages are missing, and installing them needs root: $missing"
    fi
    echo "Installing system packages: $missing"
    log=$(mktemp)
    for step in "update -qq" "install -qq -y --no-install-recommends $missing"; do
        # The steps and the package names are words to be split; the log is shown only when something went wrong.
        # shellcheck disable=SC2086
        if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get $step >"$log" 2>&1 </dev/null; then
            tail -n 20 "$log" >&2
            rm -f "$log"
            stop "apt-get ${step%% *} failed; its last lines stand above."
        fi
    done
    rm -f "$log"
}

case "${1:-all}" in
packages) install_packages ;;
environment) "$python" scripts/environment.py .venv requirements.txt requirements-dev.txt ;;
all)
    install_packages
    "$python" scripts/environment.py .venv requirements.txt requirements-dev.txt
    echo "Set-up is done; \`make help\` lists what to do next."
    ;;
*) stop "unknown step '$1'." ;;
esac
