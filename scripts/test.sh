#!/usr/bin/env bash
# Runs the tests that need real servers: `scripts/test.sh [folder...]`, all but the unit tests
# when no folder is named. Installs what they need where it can (Debian or Ubuntu, as root), and
# closes with what was not tested and why. REQUIRE_REAL=1 makes each of those a failure.
# Called by `make test` and `make test-integration`, after `make install`.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly apt_lock_wait_seconds=300
readonly require_real="${REQUIRE_REAL:-0}"
untested=()
failed=0

say() { printf '%s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }
is_debian_root() { [[ "$(id -u)" == 0 ]] && have apt-get; }
cannot_test() { untested+=("$1"); }

install_packages() {
    say "Installing by apt: $*"
    export DEBIAN_FRONTEND=noninteractive
    local apt=(apt-get -qq -o "DPkg::Lock::Timeout=$apt_lock_wait_seconds")
    "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null
}

is_installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }

prepare_browser() {
    # Ubuntu's chromium package only points to a snap, so only Debian's is installed here.
    # Without a font Chromium draws every text blank.
    if is_debian_root && grep -q '^ID=debian' /etc/os-release; then
        local missing=() package
        for package in chromium fonts-dejavu-core; do
            is_installed "$package" || missing+=("$package")
        done
        [[ ${#missing[@]} == 0 ]] || install_packages "${missing[@]}" || true
    fi
    if ! have chromium && ! have chromium-browser && ! have google-chrome; then
        cannot_test "the dashboard in a browser: no Chromium (Debian: apt-get install chromium)"
    fi
}

prepare_timescaledb() {
    local status=0 said
    said=$(scripts/install-timescaledb.sh 2>&1 >/dev/null) || status=$?
    case $status in
        0) ;;
        3) cannot_test "the hypertables: no TimescaleDB ($(tail -n 1 <<<"$said"))" ;;
        *)
            say "$said"
            cannot_test "the hypertables: TimescaleDB did not build (its output is above)"
            ;;
    esac
}

prepare_java() {
    if ! have java || ! have mvn; then
        cannot_test "Apache Kafka and the Schema Registry: no Java 17 with Maven"
    fi
}

prepare_typescript() {
    if ! have node || ! have npm; then
        cannot_test "the exchange with the official TypeScript clients: no Node.js with npm"
        return
    fi
    make --no-print-directory typescript-clients || failed=1
}

lint_schemas() {
    if ! have npm; then
        cannot_test "buf and AsyncAPI validation of the schemas: no npm"
        return
    fi
    make --no-print-directory schemas-lint || failed=1
}

run_pytest() {
    local folders=("$@")
    [[ $# -gt 0 ]] || folders=(--ignore tests/unit tests)
    .venv/bin/python -m pytest -rs "${folders[@]}" || failed=1
}

prepare_browser
prepare_timescaledb
prepare_java
prepare_typescript
lint_schemas
run_pytest "$@"

if [[ ${#untested[@]} -gt 0 ]]; then
    say ""
    say "Not tested on this machine:"
    printf '  - %s\n' "${untested[@]}"
    [[ "$require_real" != 1 ]] || failed=1
fi
[[ $failed == 0 ]] || say "Something failed: see above."
exit "$failed"
