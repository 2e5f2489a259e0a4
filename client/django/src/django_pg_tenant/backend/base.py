"""ENGINE = "django_pg_tenant.backend": PostgreSQL, each transaction in the tenant of its block."""

from django.db import transaction
from django.db.backends.postgresql import base

from ..context import current_entry

SESSION_NOT_PRISTINE = "TN008"


class TenantMixin:
    """For other backends: `class DatabaseWrapper(TenantMixin, postgis.base.DatabaseWrapper)`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(self._in_a_transaction)

    def _set_autocommit(self, autocommit):
        super()._set_autocommit(autocommit)
        entry = current_entry()
        if autocommit or entry is None:
            return
        try:
            self.enter(entry)
        except BaseException as error:
            # No block has begun, so nobody else ends what was begun here.
            if not self.connection.closed:
                self.connection.rollback()
                super()._set_autocommit(True)
            if getattr(error.__cause__, "sqlstate", None) == SESSION_NOT_PRISTINE:
                self.connection.close()  # a pool of psycopg throws it away, too
            if self.connection.closed:
                self.close()
            raise

    def enter(self, entry):
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute(entry.sql, entry.parameters)

    def _in_a_transaction(self, execute, sql, params, many, context):
        """A statement outside of all atomic blocks has a transaction of its own, or it would have no tenant."""
        if current_entry() is None or self.in_atomic_block or not self.get_autocommit():
            return execute(sql, params, many, context)
        with transaction.atomic(using=self.alias):
            return execute(sql, params, many, context)

    def chunked_cursor(self):
        """Outside of all atomic blocks a server-side cursor would outlive its transaction: there it is an ordinary one."""
        if current_entry() is not None and not self.in_atomic_block:
            return self.cursor()
        return super().chunked_cursor()


class DatabaseWrapper(TenantMixin, base.DatabaseWrapper):
    pass
