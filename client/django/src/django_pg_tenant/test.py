"""Tests inside one tenant: the class says which."""

from contextlib import ExitStack

from django.db import DEFAULT_DB_ALIAS, connections
from django.test import TestCase

from .context import tenant_context


def register(id, using=DEFAULT_DB_ALIAS):
    """Makes the tenant known to the test database, as a member of tenant_admin."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select tenant.create(%s) where not exists (select from tenant.tenants where id = tenant.canonical_id(%s))", [id] * 2
        )


class TenantTestCase(TestCase):
    """django.test.TestCase inside a tenant: setUpTestData, the tests, and what their client asks for."""

    tenant = None

    @classmethod
    def setUpClass(cls):
        register(str(cls.tenant))
        # Before the transaction of the class, so that it begins in the tenant.
        with ExitStack() as stack:
            stack.enter_context(tenant_context(cls.tenant, atomic=False))
            super().setUpClass()
            cls.addClassCleanup(stack.pop_all().close)
