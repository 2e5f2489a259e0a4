import asyncio
import unittest

import checks
import forget
import psycopg
import tenant as page
import tenant_async
import testing
from checks import Same, Stop

NOTES = "select note from orders order by note"


class Threads(Same):
    @classmethod
    def setUpClass(cls):
        page.pool.open()

    @classmethod
    def tearDownClass(cls):
        page.pool.close()

    async def notes(self, tenant):
        def notes():
            with page.tenant(tenant) as conn:
                return [note for (note,) in conn.execute(NOTES)]

        return await asyncio.to_thread(notes)

    async def add(self, tenant, note):
        with page.tenant(tenant) as conn:
            conn.execute("insert into orders (note) values (%s)", [note])

    async def remove(self, tenant, note):
        with page.tenant(tenant) as conn:
            conn.execute("delete from orders where note = %s", [note])

    async def fail(self, tenant, note):
        with page.tenant(tenant) as conn:
            conn.execute("insert into orders (note) values (%s)", [note])
            raise Stop

    async def forget(self):
        return forget.forget()

    async def outside(self):
        with page.pool.connection() as conn:
            return conn.execute("select tenant.current_id()").fetchone()[0]

    async def test_a_savepoint_keeps_the_tenant(self):
        with page.tenant("acme") as conn:
            with self.assertRaises(Stop):
                with conn.transaction():
                    raise Stop
            self.assertEqual(conn.execute(NOTES).fetchall(), [("anvil",)])

    async def test_a_commit_in_the_block_is_refused(self):
        with self.assertRaises(psycopg.ProgrammingError):
            with page.tenant("acme") as conn:
                conn.commit()

    async def test_statements_that_psycopg_prepares(self):
        for tenant in ["acme", "globex"] * 8:
            await self.notes(tenant)

    @unittest.skipIf(checks.pooled, "which session is dirty is PgBouncer's to know")
    async def test_a_dirty_connection_is_not_lent_again(self):
        with page.pool.connection() as conn:
            conn.execute("set search_path = pg_catalog, public")
        with self.assertRaises(psycopg.Error) as caught:
            for _ in range(4):
                await self.notes("acme")
        self.assertEqual(caught.exception.sqlstate, "TN008")
        for _ in range(4):
            self.assertEqual(await self.notes("acme"), ["anvil"])

    async def test_a_test_is_rolled_back(self):
        with testing.rolled_back("acme") as conn:
            conn.execute("insert into orders (note) values ('gone')")
            with conn.transaction():
                conn.execute("update orders set note = note || '!'")
        self.assertEqual(await self.notes("acme"), ["anvil"])

    async def test_use(self):
        self.assertEqual(checks.run("use.py"), "[('anvil',), ('mallet',)]")
        await self.remove("acme", "mallet")


class Asyncio(Same):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        old = tenant_async.pool
        tenant_async.pool = type(old)(old.conninfo, min_size=1, max_size=4, kwargs=old.kwargs, open=False)
        await tenant_async.pool.open()
        self.addAsyncCleanup(tenant_async.pool.close)

    async def notes(self, tenant):
        async with tenant_async.tenant(tenant) as conn:
            return [note for (note,) in await (await conn.execute(NOTES)).fetchall()]

    async def add(self, tenant, note):
        async with tenant_async.tenant(tenant) as conn:
            await conn.execute("insert into orders (note) values (%s)", [note])

    async def remove(self, tenant, note):
        async with tenant_async.tenant(tenant) as conn:
            await conn.execute("delete from orders where note = %s", [note])

    async def fail(self, tenant, note):
        async with tenant_async.tenant(tenant) as conn:
            await conn.execute("insert into orders (note) values (%s)", [note])
            raise Stop

    async def forget(self):
        try:
            async with tenant_async.pool.connection() as conn:
                await conn.execute(NOTES)
        except psycopg.DatabaseError as error:
            return error.sqlstate, error.diag.message_primary

    async def outside(self):
        async with tenant_async.pool.connection() as conn:
            return (await (await conn.execute("select tenant.current_id()")).fetchone())[0]


del Same
checks.main()
