import json
import unittest

import checks
import psycopg

BODY = """with pgrst_source as ({query})
    select null::bigint as total_result_set, count(_postgrest_t) as page_total, coalesce(json_agg(_postgrest_t), '[]') as body,
        nullif(current_setting('response.headers', true), '') as response_headers,
        nullif(current_setting('response.status', true), '') as response_status
    from (select * from pgrst_source) _postgrest_t"""
SELECT = 'select "public"."orders"."note" from "public"."orders" order by note'


def request(conn, query=SELECT, role="web_user", mode="read only", **claims):
    """What PostgREST sends for a request."""
    conn.execute(f"begin isolation level read committed {mode}")
    try:
        settings = {
            "search_path": '"public"',
            "role": role,
            "request.jwt.claims": json.dumps({"role": role} | claims),
            "request.method": "GET",
            "request.path": "/orders",
            "request.headers": "{}",
            "request.cookies": "{}",
        }
        calls = ", ".join("set_config(%s, %s, true)" for _ in settings)
        conn.execute(f"select {calls}", [text for pair in settings.items() for text in pair])
        conn.execute('select "public"."enter_request"()')
        body = conn.execute(BODY.format(query=query)).fetchone()[2]
        conn.execute("commit")
        return body
    except BaseException:
        conn.execute("rollback")
        raise


class Requests(unittest.TestCase):
    def setUp(self):
        self.conn = psycopg.connect("user=authenticator", autocommit=True)
        self.addCleanup(self.conn.close)

    def refused(self, **options):
        with self.assertRaises(psycopg.Error) as caught:
            request(self.conn, **options)
        return caught.exception.sqlstate

    def test_each_request_is_its_tokens_tenants(self):
        for _ in range(6):
            self.assertEqual(request(self.conn, tenant_id="acme"), [{"note": "anvil"}])
            self.assertEqual(request(self.conn, tenant_id="globex"), [{"note": "stapler"}])
        self.assertEqual(self.conn.execute("show pg_tenant.id").fetchone(), ("",))

    def test_writes(self):
        insert = "insert into public.orders (note) select 'rope' returning *"
        self.assertEqual(request(self.conn, insert, mode="read write", tenant_id="acme")[0]["tenant_id"], "acme")
        self.assertEqual(request(self.conn, tenant_id="globex"), [{"note": "stapler"}])
        delete = "delete from public.orders where note <> 'anvil' returning *"
        self.assertEqual(request(self.conn, delete, mode="read write", tenant_id="acme")[0]["note"], "rope")

    def test_no_token_and_one_without_a_tenant(self):
        self.assertEqual(self.refused(), "TN001")
        self.assertIn(self.refused(role="web_anon"), ["42501", "TN001"])

    def test_an_unknown_tenant(self):
        self.assertEqual(self.refused(tenant_id="nobody"), "TN002")
        self.assertEqual(request(self.conn, tenant_id="acme"), [{"note": "anvil"}])

    def test_a_tenant_that_is_suspended(self):
        with psycopg.connect("user=app_owner", autocommit=True) as owner:
            owner.execute("select tenant.suspend('globex', 'a test')")
            self.assertEqual(self.refused(tenant_id="globex"), "TN003")
            owner.execute("select tenant.resume('globex')")

    def test_a_request_cannot_enter_another(self):
        self.assertEqual(self.refused(query="select tenant.enter('globex') as note", tenant_id="acme"), "TN005")


checks.main()
