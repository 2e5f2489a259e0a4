import asyncio
import os
import threading
import unittest

import checks
import pyodbc
from checks import Same, Stop
from tenant import tenant

local = threading.local()
NOTES = "select note from orders order by note"


def connection():
    """One for each thread."""
    if not hasattr(local, "connection"):
        local.connection = pyodbc.connect(os.environ["ODBC"] + "UID=app", autocommit=True)
    return local.connection


class Odbc(Same):
    async def notes(self, id):
        def notes():
            with tenant(connection(), id) as conn:
                return [row.note for row in conn.execute(NOTES)]

        return await asyncio.to_thread(notes)

    async def add(self, id, note):
        with tenant(connection(), id) as conn:
            conn.execute("insert into orders (note) values (?)", note)

    async def remove(self, id, note):
        with tenant(connection(), id) as conn:
            conn.execute("delete from orders where note = ?", note)

    async def fail(self, id, note):
        with tenant(connection(), id) as conn:
            conn.execute("insert into orders (note) values (?)", note)
            raise Stop

    async def forget(self):
        try:
            connection().execute(NOTES)
        except pyodbc.Error as error:
            return error.args

    async def outside(self):
        return connection().execute("select tenant.current_id()").fetchval()

    async def test_use(self):
        self.assertEqual(checks.run("use.py"), "['anvil', 'mallet']")
        await self.remove("acme", "mallet")

    async def test_a_statement_that_fails_keeps_the_tenant(self):
        with tenant(connection(), "acme") as conn:
            with self.assertRaises(pyodbc.Error):
                conn.execute("select 1/0")
            self.assertEqual([row.note for row in conn.execute(NOTES)], ["anvil"])

    @unittest.skipIf(checks.pooled, "what is refused leaves a session that others then get")
    async def test_cursors_of_the_driver(self):
        options = os.environ["ODBC"] + "UseDeclareFetch=1;Fetch=1;UID="
        with pyodbc.connect(options + "app", autocommit=True) as conn:
            with self.assertRaises(pyodbc.Error) as caught, tenant(conn, "acme"):
                self.fail()
            self.assertEqual(caught.exception.args[0], "TN008")
        with pyodbc.connect(options + "odbc_acme", autocommit=True) as conn:
            self.assertEqual([row.note for row in conn.execute(NOTES)], ["anvil"])

    async def test_what_a_tool_asks_as_a_bound_login(self):
        with pyodbc.connect(os.environ["ODBC"] + "UID=odbc_acme", autocommit=True) as conn:
            cursor = conn.cursor()
            self.assertIn("orders", [table.table_name for table in cursor.tables(schema="public")])
            columns = [column.column_name for column in cursor.columns(table="orders", schema="public")]
            self.assertEqual(columns, ["tenant_id", "id", "note"])
            self.assertEqual([key.column_name for key in cursor.primaryKeys("orders", schema="public")], ["id"])
            self.assertIn("orders_pkey", [index.index_name for index in cursor.statistics("orders", schema="public")])
            self.assertEqual([row.note for row in cursor.execute(NOTES)], ["anvil"])


del Same
checks.main()
