#!/bin/sh
# Make this checkout able to run the demo and the tests: Debian packages, .venv, Kafka and the registry.
# Idempotent; when nothing is missing it takes a fraction of a second. Needs Debian 12 with python3, and root for apt-get.
set -eu
cd "$(dirname "$0")/../.."

# PostgreSQL carries the SQL Server stand-in, unixODBC and FreeTDS are how the pipeline reaches it, Maven
# fetches Kafka and the registry, Prometheus runs the dashboards' queries in the tests.
PACKAGES="postgresql-15 unixodbc tdsodbc maven prometheus"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

find_python() {
    python=${PYTHON:-python3}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "Python 3.11 or newer is needed; '$python' is older or missing. Name another: PYTHON=/path/to/python3 make ..."
}

install_packages() {
    command -v dpkg-query >/dev/null || { say "not Debian: you must have $PACKAGES by other means"; return; }
    wanted=$PACKAGES
    "$python" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
    missing=""
    for package in $wanted; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
            installed) ;;
            *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    command="apt-get install -y --no-install-recommends$missing"
    [ "$(id -u)" = 0 ] || fail "please run as root, then try again: $command"
    say "installing Debian packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # Run level 1 is the one in which Debian starts no service: ours run privately, the packages' own stay down.
    # shellcheck disable=SC2086 # the command is a list of words
    { apt-get -q -o DPkg::Lock::Timeout=120 update && RUNLEVEL=1 $command -q -o DPkg::Lock::Timeout=120; } \
        </dev/null >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; fail "apt-get failed; see above"; }
    rm -f "$log"
}

# Everything that .venv is made from, and where it is.
fingerprint() {
    { pwd; "$python" -V; cat requirements.lock pyproject.toml sandbox/stack/setup.sh; } | sha256sum
}

make_venv() {
    stamp=.venv/setup-stamp
    now=$(fingerprint)
    [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && return 0
    say "installing Python packages into .venv"
    rm -f "$stamp"
    # The scripts in .venv carry its path: those of a moved or copied checkout run what lies at the old place.
    case $(head -n 1 .venv/bin/pip 2>/dev/null || true) in
        "#!$PWD/.venv/bin/python"*) ;;
        *) "$python" -m venv --clear .venv ;;
    esac
    install_locked
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps -e .
    printf '%s\n' "$now" >"$stamp"
}

# uv does in three seconds what takes pip thirty, but knows only its own settings: where an index is set for pip alone,
# pip does it. Both check every hash; uv itself comes from the lock too.
install_locked() {
    lock=$(mktemp)
    awk '/^[^ #]/ { ours = /^uv==/ } ours' requirements.lock >"$lock"
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r "$lock"
    rm -f "$lock"
    # Compiled now, since the demo starts five Python processes at once and would compile in each of them.
    .venv/bin/uv pip sync -q --compile-bytecode --python .venv/bin/python --require-hashes requirements.lock 2>/dev/null ||
        .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
}

find_python
install_packages
make_venv
.venv/bin/python -m sandbox.stack.jars
