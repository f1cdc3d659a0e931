#!/usr/bin/env bash
# What the Makefile needs beyond pip, on Debian 12:
#   setup.sh venv FOLDER [PYTHON]   make a virtual environment (Python 3.11)
#   setup.sh system LIST...         install the missing Debian packages named in the lists, where that is allowed
set -euo pipefail

say() { printf 'setup: %s\n' "$*" >&2; }

# Install Debian packages as root or with sudo that asks nothing; false where neither is possible.
apt_install() {
    command -v apt-get >/dev/null || return 1
    local root=()
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        root=(sudo -n)
    fi
    say "installing with apt-get: $*"
    local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
    "${root[@]}" "${quiet[@]}" update >&2 &&
        "${root[@]}" "${quiet[@]}" install -y --no-install-recommends "$@" >&2
}

# The first interpreter (the given one alone, if one is given) that is Python 3.11 and can make a virtual environment.
find_python() {
    local candidate
    [ $# != 0 ] || set -- python3.11 /usr/bin/python3.11 python3
    for candidate in "$@"; do
        "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || continue
        echo "$candidate"
        return
    done
    return 1
}

make_venv() {
    local folder=$1 python
    shift
    if ! python=$(find_python "$@"); then
        # Debian ships Python without the venv module; its python3-venv brings both.
        apt_install python3 python3-venv || true
        python=$(find_python "$@") || {
            say "Python 3.11 with the venv module is needed and was not found."
            say "Debian 12: sudo apt-get install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.11 ..."
            exit 1
        }
    fi
    say "making $folder with $("$python" -c 'import sys; print(sys.executable)')"
    "$python" -m venv "$folder"
}

install_missing() {
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: make sure that these are installed: $(cat "$@" | tr '\n' ' ')"
        return
    fi
    local package missing=()
    while read -r package; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done < <(cat "$@")
    [ ${#missing[@]} = 0 ] && return
    apt_install "${missing[@]}" && return
    # Not fatal here: what needs a missing package says so itself (browser tests are skipped, except in CI).
    say "missing, and this user may not install: ${missing[*]}"
    say "ask for: sudo apt-get install -y --no-install-recommends ${missing[*]}"
}

command=${1:-}
shift || true
case $command in
    venv) make_venv "$@" ;;
    system) install_missing "$@" ;;
    *) say "usage: setup.sh venv FOLDER [PYTHON] | setup.sh system LIST..."; exit 2 ;;
esac
