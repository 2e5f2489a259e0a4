"""For tests."""

from contextlib import ExitStack

from django.db import DEFAULT_DB_ALIAS, connections
from django.test import TestCase

from .context import tenant_context


def create_tenants(*ids, using=DEFAULT_DB_ALIAS):
    """Makes tenants known to the test database that are not yet, as a member of tenant_admin."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select tenant.create(new.id) from unnest(%s::text[]) as new (id)"
            " where not exists (select from tenant.tenants t where t.id = tenant.canonical_id(new.id))",
            [[str(id) for id in ids]],
        )


class TenantTestCase(TestCase):
    """django.test.TestCase inside a tenant: setUpTestData, the tests, and what their client asks for."""

    tenant = None

    @classmethod
    def setUpClass(cls):
        create_tenants(cls.tenant)
        # Before the transaction of the class, so that it begins in the tenant.
        with ExitStack() as stack:
            stack.enter_context(tenant_context(cls.tenant, atomic=False))
            super().setUpClass()
            cls.addClassCleanup(stack.pop_all().close)
