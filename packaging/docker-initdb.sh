#!/bin/sh
# Run once by the official image's entrypoint: later databases are copies of template1.
set -eu
for database in template1 "$POSTGRES_DB"; do
    psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$database" -c 'create extension if not exists pg_tenant'
done
