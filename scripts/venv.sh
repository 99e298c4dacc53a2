#!/bin/sh
# Makes .venv from a hash-locked list: `scripts/venv.sh demo` or `scripts/venv.sh dev`.
# A copy of what was installed is kept in .venv, so a second call with nothing changed costs
# nothing. Only the Makefile calls it.
set -eu
cd "$(dirname "$0")/.."
profile=${1:?usage: scripts/venv.sh demo|dev}
venv=.venv

say() { printf '%s\n' "$*" >&2; }

# A candidate must run, not only exist: version managers leave shims of what is not chosen.
is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if is_new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    if [ -n "${PYTHON:-}" ]; then
        say "PYTHON=$PYTHON is not a working Python 3.11 or newer."
    else
        say "Python 3.11 or newer is needed, and none of python3.13, python3.12, python3.11 and"
        say "python3 is one. Install it, or name one: make install PYTHON=/path/to/python3"
    fi
    exit 1
}

make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        say "$python cannot make virtual environments: its venv or ensurepip module is missing."
        say "On Debian and Ubuntu: apt-get install python$version-venv (or python3-venv), as root."
        exit 1
    fi
    say "Making $venv with $("$python" -V)"
    "$python" -m venv --clear "$venv"
    pwd > "$venv/made-at"
}

# Its commands hold the folder they were made in.
is_moved() { [ -f "$venv/made-at" ] && [ "$(cat "$venv/made-at")" != "$(pwd)" ]; }

# What the environment was made from: the lock, and what the package's metadata says.
wanted() { cat "requirements/$1.txt" pyproject.toml; }
is_current() { wanted "$1" | cmp -s - "$venv/installed-$1"; }

# A moved or half-made environment, or one whose Python went away, is made anew.
if is_moved || ! is_new_enough "$venv/bin/python" ||
    ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    make_venv
fi
# The dev list holds all of the demo's.
if is_current "$profile" || { [ "$profile" = demo ] && is_current dev; }; then
    exit 0
fi
rm -f "$venv"/installed-*
say "Installing requirements/$profile.txt"
PIP_DISABLE_PIP_VERSION_CHECK=1
PIP_NO_INPUT=1
PIP_ROOT_USER_ACTION=ignore
export PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT PIP_ROOT_USER_ACTION
"$venv/bin/python" -m pip install --quiet --require-hashes -r "requirements/$profile.txt"
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
wanted "$profile" > "$venv/installed-$profile"
