import asyncio
import os
import unittest
from contextlib import contextmanager

import checks
import db
import db_async
import forget
import test_orders
import testing
from checks import Same, Stop
from models import Line, Order
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError

NOTES = text("select note from orders order by note")
ADD = text("insert into orders (note) values (:note)")
REMOVE = text("delete from orders where note = :note")


def alembic(*arguments, **environment):
    return checks.run("-m", "alembic", *arguments, **environment)


@contextmanager
def edited(path, old, new):
    with open(path) as file:
        text = file.read()
    assert old in text
    with open(path, "w") as file:
        file.write(text.replace(old, new))
    try:
        yield
    finally:
        with open(path, "w") as file:
            file.write(text)


class Sessions(Same):
    async def notes(self, tenant):
        def notes():
            with db.tenant(tenant) as session:
                return session.scalars(NOTES).all()

        return await asyncio.to_thread(notes)

    async def add(self, tenant, note):
        with db.tenant(tenant) as session:
            session.execute(ADD, {"note": note})
            session.commit()

    async def remove(self, tenant, note):
        with db.tenant(tenant) as session:
            session.execute(REMOVE, {"note": note})
            session.commit()

    async def fail(self, tenant, note):
        with db.tenant(tenant) as session, session.begin():
            session.execute(ADD, {"note": note})
            raise Stop

    async def forget(self):
        return forget.forget()

    async def outside(self):
        with db.engine.connect() as connection:
            return connection.scalar(text("select tenant.current_id()"))

    async def test_a_session_without_a_tenant_does_nothing(self):
        with db.sessions() as session, self.assertRaises(KeyError):
            session.scalars(NOTES)

    async def test_autocommit_is_refused_and_says_why(self):
        with db.sessions(bind=db.engine.execution_options(isolation_level="AUTOCOMMIT"), info={"tenant": "acme"}) as session:
            with self.assertRaises(DBAPIError) as caught:
                session.scalars(NOTES)
        self.assertEqual(caught.exception.orig.sqlstate, "TN001")
        self.assertIn("begin", str(caught.exception.orig).lower())

    async def test_each_transaction_of_a_session_enters(self):
        with db.tenant("acme") as session:
            for _ in range(3):
                self.assertEqual(session.scalars(NOTES).all(), ["anvil"])
                session.commit()
            session.execute(ADD, {"note": "lost"})
            session.rollback()
            with session.begin_nested():
                self.assertEqual(session.scalars(NOTES).all(), ["anvil"])

    async def test_relationships_and_loads(self):
        for tenant in ["acme", "globex"]:
            with db.tenant(tenant) as session:
                session.add(Order(note=tenant, lines=[Line(item=tenant) for _ in range(3)]))
                session.commit()
        with db.tenant("acme") as session:
            order = session.scalars(select(Order).where(Order.note == "acme")).one()
            self.assertEqual((order.tenant_id, [line.item for line in order.lines]), ("acme", ["acme"] * 3))
            other = [id for id in range(1, 9) if id not in [line.id for line in order.lines]]
            self.assertEqual([session.get(Line, id) for id in other], [None] * 5)
            order.lines.pop()
            session.commit()
            self.assertEqual(len(session.scalars(select(Line)).all()), 2)
            session.delete(order)
            session.commit()
        with db.tenant("globex") as session:
            self.assertEqual(len(session.scalars(select(Line)).all()), 3)
            session.delete(session.scalars(select(Order).where(Order.note == "globex")).one())
            session.commit()

    async def test_a_row_for_another_tenant_is_refused(self):
        with db.tenant("acme") as session:
            session.add(Order(note="smuggled", tenant_id="globex"))
            with self.assertRaises(DBAPIError) as caught:
                session.commit()
        self.assertEqual(caught.exception.orig.sqlstate, "42501")

    @unittest.skipIf(checks.pooled, "which session is dirty is PgBouncer's to know")
    async def test_a_dirty_connection_is_not_lent_again(self):
        db.engine.dispose()
        with db.engine.connect() as connection:
            connection.execute(text("create temporary table left_behind ()"))
            connection.commit()
        with self.assertRaises(DBAPIError) as caught:
            await self.notes("acme")
        self.assertEqual(caught.exception.orig.sqlstate, "TN008")
        self.assertEqual(await self.notes("acme"), ["anvil"])

    async def test_a_test_is_rolled_back(self):
        with testing.rolled_back():
            with db.tenant("acme") as session:
                session.execute(ADD, {"note": "gone"})
                session.commit()
                session.execute(ADD, {"note": "gone too"})
                session.rollback()
                self.assertEqual(session.scalars(NOTES).all(), ["anvil", "gone"])
            test_orders.test_tenants("acme")
            with self.assertRaises(DBAPIError) as caught:
                test_orders.test_tenants("acme", "globex")
            self.assertEqual(caught.exception.orig.sqlstate, "TN005")
        self.assertEqual(await self.notes("acme"), ["anvil"])

    @unittest.skipIf(checks.pooled, "a database of its own")
    async def test_a_test_of_several_tenants_in_test_mode(self):
        test = "import test_orders; test_orders.test_tenants('acme', 'globex'); test_orders.test_tenants('globex', 'acme')"
        checks.run("-c", test, PGDATABASE="test_alchemy")

    async def test_use(self):
        self.assertEqual(checks.run("use.py"), "[('mallet', 'wood')]")
        with db.tenant("acme") as session:
            session.delete(session.scalars(select(Order).where(Order.note == "mallet")).one())
            session.commit()


class Asyncio(Same):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.addAsyncCleanup(db_async.engine.dispose)

    async def notes(self, tenant):
        async with db_async.tenant(tenant) as session:
            return (await session.scalars(NOTES)).all()

    async def add(self, tenant, note):
        async with db_async.tenant(tenant) as session:
            await session.execute(ADD, {"note": note})
            await session.commit()

    async def remove(self, tenant, note):
        async with db_async.tenant(tenant) as session:
            await session.execute(REMOVE, {"note": note})
            await session.commit()

    async def fail(self, tenant, note):
        async with db_async.tenant(tenant) as session, session.begin():
            await session.execute(ADD, {"note": note})
            raise Stop

    async def forget(self):
        try:
            async with db_async.engine.connect() as connection:
                await connection.execute(NOTES)
        except DBAPIError as error:
            return error.orig.sqlstate, str(error.orig)

    async def outside(self):
        async with db_async.engine.connect() as connection:
            return await connection.scalar(text("select tenant.current_id()"))


class Alembic(unittest.TestCase):
    owner = create_engine(os.environ["OWNER_URL"].replace("://", "+psycopg://"))

    def test_the_models_and_the_database_agree(self):
        self.assertIn("No new upgrade operations detected", alembic("check"))

    def test_the_index_is_left_alone_where_the_models_do_not_name_it(self):
        with edited("models.py", 'text("tenant.current_id()"), index=True', 'text("tenant.current_id()")'):
            self.assertIn("No new upgrade operations detected", alembic("check"))
            with edited("migrations/env.py", "include_object=include_object,", ""):
                with self.assertRaisesRegex(AssertionError, "remove_index"):
                    alembic("check")

    def test_down_and_up_again_with_rows_of_two_tenants(self):
        for tenant in ["acme", "globex"]:
            with db.tenant(tenant) as session:
                session.add(Order(note=tenant, lines=[Line(item=tenant, amount=7)]))
                session.commit()
        alembic("downgrade", "0001")
        alembic("upgrade", "head")
        for tenant in ["acme", "globex"]:
            with db.tenant(tenant) as session:
                self.assertEqual(session.execute(text("select item, amount from lines")).all(), [(tenant, 1)])
                session.delete(session.scalars(select(Order).where(Order.note == tenant)).one())
                session.commit()

    def test_the_doctor_has_no_error(self):
        with self.owner.connect() as connection:
            errors = connection.execute(text("select code, object from tenant.doctor() where level = 'error'")).all()
        self.assertEqual(errors, [])


alembic("upgrade", "head")
del Same
checks.main()
