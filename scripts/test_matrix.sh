#!/bin/bash
# Runs the tests that touch QGIS and TensorFlow under Debian 13's QGIS, in a root folder of its own.
# Usage: scripts/test_matrix.sh [pytest's arguments]
# MATRIX_ROOT names the folder (about 3 GB, made on the first run, kept and reused afterwards).
set -euo pipefail
cd "$(dirname "$0")/.."

release=trixie
root=${MATRIX_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/statgrid/debian-13}
home=/var/lib/statgrid # home folder inside the root; the environment and the stamps live there
tests=(test/algorithms test/models)

stop() {
    echo "The test matrix stopped: $*" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || stop "it installs a second Debian beside this one, which needs root."

# Everything below runs in a mount namespace of its own: however it ends, the kernel takes the mounts away with it.
if [ -z "${STATGRID_MATRIX_NAMESPACE:-}" ]; then
    exec env STATGRID_MATRIX_NAMESPACE=1 unshare --mount --propagation private -- "$PWD/scripts/test_matrix.sh" "$@"
fi

mkdir -p "$(dirname "$root")"
exec 9>"$root.lock"
flock --nonblock 9 || { echo "Waiting for another run in $root ..."; flock 9; }

inside() {
    chroot "$root" /usr/bin/env -u PYTHONPATH -u PYTHONHOME -u TMPDIR -u XDG_CACHE_HOME -u XDG_RUNTIME_DIR \
        HOME=$home LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null
}

trap 'echo "The test matrix stopped at line $LINENO: $BASH_COMMAND" >&2' ERR

# Runs a noisy step; its output is shown only when it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        stop "'$1' failed; its last lines stand above."
    fi
    rm -f "$log"
}

# The package mirror this machine uses, where it is itself a Debian; otherwise debootstrap knows one.
mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep -vE '^\s*#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ' || true
}

make_root() {
    [ ! -f "$root$home/debian-ready" ] || return 0
    command -v debootstrap >/dev/null || {
        command -v apt-get >/dev/null || stop "debootstrap is missing, and there is no apt to install it with."
        quietly apt-get update -qq
        quietly env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
            debootstrap debian-archive-keyring
    }
    echo "Making a Debian 13 in $root ..."
    rm -rf "$root"
    # shellcheck disable=SC2046
    quietly debootstrap --variant=minbase "$release" "$root" $(mirror)
    mkdir -p "$root$home"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service starts in there
    chmod +x "$root/usr/sbin/policy-rc.d"
    touch "$root$home/debian-ready"
}

# Shows a file or folder of this machine inside the root, read-only, at the same place.
show_inside() {
    local path=$1
    [ -e "$path" ] || return 0
    if [ -d "$path" ]; then
        mkdir -p "$root$path"
    else
        mkdir -p "$(dirname "$root$path")"
        [ -e "$root$path" ] || : >"$root$path"
    fi
    mount --bind "$path" "$root$path"
    mount -o remount,bind,ro "$root$path"
}

carry_network_settings() {
    local file
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do # proxies and the like, not what packages put there
        if [ -f "$file" ] && grep -q '^ *Acquire::' "$file" && ! dpkg-query -S "$file" >/dev/null 2>&1; then
            cp "$file" "$root$file"
        fi
    done
}

# Certificates and pip's own settings, with the files and local package folders that those name.
carry_python_settings() {
    local file path
    local configs=(/etc/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf")
    show_inside /etc/ssl/certs
    for file in "${configs[@]}"; do
        [ ! -f "$file" ] || install -D --mode=644 "$file" "$root${file/#"$HOME"/$home}"
    done
    {
        env | grep -E '^(PIP_|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)' || true
        cat "${configs[@]}" 2>/dev/null || true # most machines have none of them, or not all
    } |
        { grep -oE '(^|[ =]|file://)/[^ ]+' || true; } | sed -E 's,^(file:|[ =])*/+,/,; s,/simple/*$,,' | sort -u |
        while read -r path; do
            case $path in /etc/ssl/certs*) ;; *) show_inside "$path" ;; esac
        done
}

# The working tree as it stands, uncommitted edits included, minus what git ignores.
copy_checkout() {
    rm -rf "$root/srv/checkout"
    mkdir -p "$root/srv/checkout"
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [ ! -e "$file" ] || printf '%s\0' "$file"
    done | tar --null --files-from=- -c | tar -x --no-same-owner -C "$root/srv/checkout"
}

install_packages() {
    inside QGIS_PYTHON=/usr/bin/python3 /srv/checkout/scripts/setup.sh packages
}

make_environment() {
    grep ^pytest requirements-dev.txt >"$root$home/requirements-test.txt"
    inside /usr/bin/python3 /srv/checkout/scripts/environment.py $home/environment \
        /srv/checkout/requirements.txt $home/requirements-test.txt
}

make_root
mount --rbind /dev "$root/dev"
mount --bind /proc "$root/proc"
carry_network_settings
copy_checkout
install_packages
carry_python_settings
make_environment
inside sh -c '/usr/bin/python3 -c "
import platform
from qgis.core import Qgis
print(\"Testing under QGIS\", Qgis.QGIS_VERSION, \"and Python\", platform.python_version())" 2>/dev/null'
inside /srv/checkout/scripts/run_tests.sh $home/environment/bin/python "${tests[@]}" "$@"
