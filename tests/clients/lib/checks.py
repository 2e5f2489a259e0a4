"""What every page's code must show, and how a check says so: `ok NAME`, `not ok NAME` (the Test Anything Protocol)."""

import asyncio
import logging
import os
import subprocess
import sys
import unittest


logging.disable(logging.WARNING)  # of slow tasks, of a connection that is thrown away


class Tap(unittest.TextTestResult):
    def addSuccess(self, test):
        super().addSuccess(test)
        print("ok", test.id().removeprefix("__main__."), flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.refused(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.refused(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print("ok", test.id().removeprefix("__main__."), "# SKIP", reason, flush=True)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.refused(subtest, err)

    def refused(self, test, err):
        print("not ok", getattr(test, "id", lambda: test)().removeprefix("__main__."), flush=True)


def main():
    program = unittest.main(testRunner=unittest.TextTestRunner(resultclass=Tap, verbosity=0), exit=False)
    sys.exit(not program.result.wasSuccessful())


def run(*arguments, **environment):
    """What a program in Python says, which must end well."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment)
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout}"
    return done.stdout.strip()


def errors(*arguments, status=1, **environment):
    """What a program in Python says where it speaks of errors; it must end with this status."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == status, f"{arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr


pooled = os.environ["ROUTE"] == "PgBouncer"


class Same(unittest.IsolatedAsyncioTestCase):
    """The subclass says how its page does these; a page without async hands them to a thread."""

    table = "orders"

    async def notes(self, tenant):
        """The notes of the tenant's orders."""
        raise NotImplementedError

    async def add(self, tenant, note):
        """Adds an order in a transaction of its own."""
        raise NotImplementedError

    async def fail(self, tenant, note):
        """Adds an order and then raises Stop in the block."""
        raise NotImplementedError

    async def forget(self):
        """Reads the orders on a connection of the pool, with no tenant; gives the SQLSTATE and the message."""
        raise NotImplementedError

    async def outside(self):
        """What tenant.current_id() says on a connection of the pool, with no tenant."""
        raise NotImplementedError

    async def test_a_tenant_sees_its_own_rows_only(self):
        self.assertEqual(await self.notes("acme"), ["anvil"])
        self.assertEqual(await self.notes("globex"), ["stapler"])

    async def test_a_row_is_the_tenants_that_wrote_it(self):
        await self.add("acme", "rope")
        self.addAsyncCleanup(self.remove, "acme", "rope")
        self.assertEqual(await self.notes("acme"), ["anvil", "rope"])
        self.assertEqual(await self.notes("globex"), ["stapler"])

    async def test_forgetting_is_refused(self):
        await self.notes("acme")  # the pool has a connection that was in a tenant
        code, message = await self.forget()
        self.assertEqual(code, "TN001")
        self.assertIn(f"no tenant: table public.{self.table} is protected", message)

    async def test_an_exception_leaves_no_tenant_and_no_row(self):
        with self.assertRaises(Stop):
            await self.fail("acme", "lost")
        self.assertIsNone(await self.outside())
        self.assertEqual(await self.notes("acme"), ["anvil"])
        self.assertEqual(await self.notes("globex"), ["stapler"])

    async def test_an_unknown_tenant_is_refused_and_the_pool_goes_on(self):
        with self.assertRaises(Exception) as caught:
            await self.notes("nobody")
        self.assertIn("nobody", str(caught.exception))
        self.assertEqual(await self.notes("acme"), ["anvil"])

    async def test_two_tenants_at_once_do_not_mix(self):
        both = {"acme": ["anvil"], "globex": ["stapler"]}

        async def loop(tenant):
            for _ in range(25):
                self.assertEqual(await self.notes(tenant), both[tenant])

        await asyncio.gather(*(loop(tenant) for tenant in ["acme", "globex"] * 3))

    async def remove(self, tenant, note):
        raise NotImplementedError


class Stop(Exception):
    pass
