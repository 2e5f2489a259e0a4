#!/bin/sh
# With Debian's driver and what it needs; pyodbc brings its own driver manager.
for lib in "$CLIENTS_HOME"/usr/lib/*-linux-gnu; do export LD_LIBRARY_PATH="$lib" DRIVER="$lib/odbc/psqlodbcw.so"; done
export ODBC="Driver=$DRIVER;Server=$PGHOST;Port=$PGPORT;Database=$PGDATABASE;"
[ "$ROUTE" != PgBouncer ] || ODBC="${ODBC}UseServerSidePrepare=0;"
exec python3 check.py
