# shellcheck shell=bash
# Sourced by the scripts beside it.
. "$(dirname "${BASH_SOURCE[0]}")/../tests/setup/lib.sh"

version=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$root/pg_tenant/pg_tenant.control")
packages=$root/target/packages

# What is packed bears the time of the commit it was made from, so that the same commit makes the same package. Not
# exported: builds would start again wherever a build script asks for it.
packed_at=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}

major_of() {
    local release
    release=$("$1" --version) || die "$1 does not run"
    sed -E 's/^[^0-9]*([0-9]+).*/\1/' <<<"$release"
}

# staging: make an empty directory that ends with the script, and set `stage` to it.
staging() {
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    chmod 755 "$stage"
}
