import os
import subprocess
import unittest

import checks
import psycopg
from sqlalchemy import create_engine, inspect, text


def connect(**options):
    return psycopg.connect("user=bi_acme", autocommit=True, **options)


def refused(work):
    try:
        work()
    except psycopg.Error as error:
        return error.sqlstate
    raise AssertionError("was not refused")


class Bound(unittest.TestCase):
    def test_use(self):
        self.assertEqual(checks.run("use.py"), "[('anvil',)]")

    def test_it_cannot_leave(self):
        with connect() as conn:
            self.assertEqual(refused(lambda: conn.execute("select tenant.enter('globex')")), "TN006")
            self.assertEqual(refused(lambda: conn.execute("set pg_tenant.id = 'globex'")), "42501")
            for statement in ["select tenant.enter('acme')", "reset all", "reset pg_tenant.id", "discard all"]:
                try:
                    conn.execute(statement)
                except psycopg.Error:
                    pass
                self.assertEqual(conn.execute("select note from orders").fetchall(), [("anvil",)])

    def test_transactions_and_prepared_statements(self):
        with connect(prepare_threshold=0) as conn:
            for _ in range(3):
                with conn.transaction():
                    self.assertEqual(conn.execute("select note from orders where id > %s", [0]).fetchall(), [("anvil",)])

    @unittest.skipIf(checks.pooled, "a session of its own")
    def test_a_cursor_that_is_held(self):
        with connect() as conn, conn.cursor("held", withhold=True) as cursor:
            cursor.execute("select note from orders")
            self.assertEqual(cursor.fetchall(), [("anvil",)])

    def test_a_login_that_is_not_bound(self):
        with psycopg.connect("user=app", autocommit=True) as conn:
            self.assertEqual(refused(lambda: conn.execute("select note from orders")), "TN001")

    def test_what_introspection_asks(self):
        engine = create_engine("postgresql+psycopg://bi_acme@")
        inspector = inspect(engine)
        self.assertEqual(inspector.get_table_names(), ["orders"])
        self.assertEqual([c["name"] for c in inspector.get_columns("orders")], ["tenant_id", "id", "note"])
        self.assertEqual(inspector.get_pk_constraint("orders")["constrained_columns"], ["id"])
        self.assertEqual([i["name"] for i in inspector.get_indexes("orders")], ["orders_tenant_id_idx"])
        self.assertEqual(inspector.get_foreign_keys("orders"), [])
        self.assertIsNone(inspector.get_table_comment("orders")["text"])
        with engine.connect() as connection:
            self.assertEqual(connection.scalar(text("select count(*) from orders")), 1)
        engine.dispose()

    def test_statistics_tell_of_nobody_else(self):
        with connect() as conn:
            self.assertEqual(conn.execute("select distinct usename from pg_stat_activity").fetchall(), [("bi_acme",)])
            self.assertEqual(conn.execute("select pg_table_size('orders'), pg_total_relation_size('orders')").fetchone(), (None, None))

    def test_psql(self):
        commands = "d d+ dt+ di+ ds+ dv+ df+ dT+ dn+ du+ dp dx+ db+ l+ dRp+".split() + ["d orders", "d+ orders"]
        script = "".join(f"\\{command}\n" for command in commands) + "select note from orders;\ncopy orders to stdout;\n"
        psql = [os.environ["PSQL"], "-X", "-q", "-U", "bi_acme"]
        done = subprocess.run(psql, input=script, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("anvil", done.stdout)
        self.assertNotIn("stapler", done.stdout)


checks.main()
