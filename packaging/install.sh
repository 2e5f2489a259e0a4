#!/bin/sh
# install.sh [PG_CONFIG]: copy pg_tenant to where this pg_config (else the one in PATH) says that extensions are.
# DESTDIR is honoured.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
pg_config=${1:-pg_config}
release=$("$pg_config" --version) || { echo "error: $pg_config does not run: install.sh PG_CONFIG" >&2; exit 1; }
major=$(echo "$release" | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
[ "$major" = @major@ ] || { echo "error: this is pg_tenant for PostgreSQL @major@, and $pg_config is of $release" >&2; exit 1; }
library=${DESTDIR:-}$("$pg_config" --pkglibdir) share=${DESTDIR:-}$("$pg_config" --sharedir)/extension
mkdir -p "$library" "$share"
# A running server has the old library mapped: a new file, not the old one written over.
cp "$here/lib/pg_tenant.so" "$library/.pg_tenant.so.new"
chmod 755 "$library/.pg_tenant.so.new"
mv -f "$library/.pg_tenant.so.new" "$library/pg_tenant.so"
cp "$here"/extension/pg_tenant* "$share/"
echo "installed in $library and $share"
echo "next: shared_preload_libraries = 'pg_tenant', restart, create extension pg_tenant (or alter extension pg_tenant update)"
