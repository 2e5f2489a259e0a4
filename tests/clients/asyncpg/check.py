import asyncio
import unittest

import asyncpg
import checks
import forget
import testing
from checks import Same, Stop
from tenant import tenant

NOTES = "select note from orders order by note"


class Asyncpg(Same):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.pool = await asyncpg.create_pool(min_size=1, max_size=4)
        self.addAsyncCleanup(self.pool.close)

    async def notes(self, id):
        async with tenant(self.pool, id) as conn:
            return [row["note"] for row in await conn.fetch(NOTES)]

    async def add(self, id, note):
        async with tenant(self.pool, id) as conn:
            await conn.execute("insert into orders (note) values ($1)", note)

    async def remove(self, id, note):
        async with tenant(self.pool, id) as conn:
            await conn.execute("delete from orders where note = $1", note)

    async def fail(self, id, note):
        async with tenant(self.pool, id) as conn:
            await conn.execute("insert into orders (note) values ($1)", note)
            raise Stop

    async def forget(self):
        return await forget.forget(self.pool)

    async def outside(self):
        return await self.pool.fetchval("select tenant.current_id()")

    async def test_the_pool_itself_is_in_no_tenant_inside_a_block(self):
        async with tenant(self.pool, "acme"):
            self.assertIsNone(await self.outside())

    async def test_a_cancelled_task_leaves_no_tenant_and_no_row(self):
        inside = asyncio.Event()

        async def wait():
            async with tenant(self.pool, "acme") as conn:
                await conn.execute("insert into orders (note) values ('lost')")
                inside.set()
                await conn.execute("select pg_sleep(60)")

        task = asyncio.create_task(wait())
        await inside.wait()
        await asyncio.sleep(0)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        self.assertIsNone(await self.outside())
        self.assertEqual(await self.notes("acme"), ["anvil"])

    @unittest.skipIf(checks.pooled, "which session is dirty is PgBouncer's to know")
    async def test_a_dirty_connection_is_not_lent_again(self):
        await self.pool.execute("create temporary table left_behind ()")
        with self.assertRaises(asyncpg.PostgresError) as caught:
            await self.notes("acme")
        self.assertEqual(caught.exception.sqlstate, "TN008")
        self.assertEqual(await self.notes("acme"), ["anvil"])

    async def test_the_driver_asks_for_types_with_jit_off_and_on_again(self):
        for id in ["acme", "globex"] * 3:
            async with asyncpg.create_pool(min_size=1, max_size=1) as pool, tenant(pool, id) as conn:
                self.assertEqual(await conn.fetchval("show jit"), "on")
                self.assertEqual(await conn.fetchval("select array[row(1, 'a')::pair]"), [(1, "a")])

    async def test_a_test_is_rolled_back(self):
        async with testing.rolled_back(self.pool, "acme") as conn:
            await conn.execute("insert into orders (note) values ('gone')")
            async with conn.transaction():
                await conn.execute("update orders set note = note || '!'")
        self.assertEqual(await self.notes("acme"), ["anvil"])

    async def test_use(self):
        self.assertEqual(checks.run("use.py"), "['anvil', 'mallet']")
        await self.remove("acme", "mallet")


del Same
checks.main()
