#!/usr/bin/env bash
# Build and install TimescaleDB (Apache edition) beside Debian 12's PostgreSQL 15.
#
# Debian 12 ships no TimescaleDB and Debian 13 ships its source, so the source package is fetched
# from there through a *source-only* list and built against PostgreSQL 15. The list is removed again
# whatever happens: with it left behind, a later upgrade could not touch binaries, but every
# `apt-get update` would fetch it for nothing.
#
# Idempotent: does nothing when the extension is there. Exit codes: 0 installed or already there,
# 3 this machine is not one it can work on (one line says why), anything else: the build failed.
set -euo pipefail

readonly pg_version=15
readonly build_minutes_max=15
readonly lock_wait_seconds=300
readonly pg_bin="/usr/lib/postgresql/${pg_version}/bin"
readonly extension="/usr/share/postgresql/${pg_version}/extension/timescaledb.control"
readonly sources="/etc/apt/sources.list.d"
readonly source_list="${sources}/whaletrader-timescaledb-src.sources"

cannot() { echo "install-timescaledb: skipped: $1" >&2; exit 3; }
say() { echo "install-timescaledb: $1" >&2; }

if [[ -f "${extension}" && -x "${pg_bin}/postgres" ]]; then
    say "already installed for PostgreSQL ${pg_version}"
    exit 0
fi

[[ "$(id -u)" == 0 ]] || cannot "needs root"
command -v apt-get >/dev/null || cannot "needs apt-get"
[[ -r /etc/os-release ]] || cannot "no /etc/os-release"
# shellcheck source=/dev/null
codename="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")"
[[ "${codename}" == bookworm ]] || cannot "made for Debian 12 (bookworm), this is '${codename}'"
[[ -r "${sources}/debian.sources" ]] || cannot "no ${sources}/debian.sources to copy the mirror from"

# One build at a time: two would write the same source list and the same packages.
exec 9>/run/lock/whaletrader-timescaledb.lock
flock -w "${lock_wait_seconds}" 9 || cannot "another build holds the lock"
if [[ -f "${extension}" ]]; then
    say "already installed for PostgreSQL ${pg_version}"
    exit 0
fi

work="$(mktemp -d)"
clean_up() {
    rm -rf "${work}"
    if [[ -e "${source_list}" ]]; then
        rm -f "${source_list}"
        # Forget the index of the removed list too, so that apt is as it was.
        rm -f /var/lib/apt/lists/*_dists_trixie_*
    fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -qq -o "DPkg::Lock::Timeout=${lock_wait_seconds}" "$@"; }

# The package script of PostgreSQL starts a cluster where there is an init system; ours brings its
# own servers, so nothing may start here.
policy=/usr/sbin/policy-rc.d
if [[ ! -e "${policy}" ]]; then
    printf '#!/bin/sh\nexit 101\n' > "${policy}" && chmod 755 "${policy}"
    trap 'rm -f "${policy}"; clean_up' EXIT
fi

say "installing PostgreSQL ${pg_version} and what a build needs"
apt update
apt install -y --no-install-recommends "postgresql-${pg_version}" \
    "postgresql-server-dev-${pg_version}" libkrb5-dev libssl-dev cmake gcc make dpkg-dev >/dev/null

say "fetching the source package"
sed -n '1,/^$/p' "${sources}/debian.sources" \
    | sed 's/^Types:.*/Types: deb-src/; s/^Suites:.*/Suites: trixie/' > "${source_list}"
apt update
cd "${work}"
# apt drops to the user _apt for downloads, which must be able to enter the folder.
chmod 755 "${work}"
apt source timescaledb >"${work}/source.log" 2>&1 || { cat "${work}/source.log" >&2; exit 1; }
cd timescaledb-*/

say "building (a minute or so)"
build() {
    ./bootstrap -DAPACHE_ONLY=1 -DREGRESS_CHECKS=OFF -DWARNINGS_AS_ERRORS=OFF \
        -DCMAKE_BUILD_TYPE=Release "-DPG_CONFIG=${pg_bin}/pg_config" &&
        timeout "${build_minutes_max}m" make -C build "-j$(nproc)" &&
        make -C build install
}
build >"${work}/build.log" 2>&1 || { tail -n 40 "${work}/build.log" >&2; exit 1; }

[[ -f "${extension}" ]] || { say "built, but ${extension} is missing"; exit 1; }
say "installed for PostgreSQL ${pg_version}"
