"""ENGINE = "django_pg_tenant.backend": PostgreSQL, each transaction in the tenant of its block."""

from django.db import transaction
from django.db.backends.postgresql import base

from ..context import current_entry

SESSION_NOT_PRISTINE = "TN008"


class TenantMixin:
    """For other backends: `class DatabaseWrapper(TenantMixin, postgis.base.DatabaseWrapper)`."""

    begun_in = None  # what the open transaction entered as it began
    entered_in = None  # or the savepoint in which it entered later
    plain = False  # while savepoints are made and ended

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(self._in_a_transaction)

    def _set_autocommit(self, autocommit):
        super()._set_autocommit(autocommit)
        self.begun_in = self.entered_in = None
        entry = current_entry()
        if autocommit or entry is None:
            return
        try:
            self._enter(entry)
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
        self.begun_in = entry

    def _enter(self, entry):
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute(entry.sql, entry.parameters)

    def _outside(self, entry):
        """Whether the open transaction, if any, began before the block of the entry, and has not entered it since."""
        return entry is not None and entry != self.begun_in and self.entered_in is None

    def _savepoint(self, sid):
        self._plainly(super()._savepoint, sid)
        entry = current_entry()
        if self._outside(entry):
            try:
                self._enter(entry)
            except BaseException:
                self._plainly(super()._savepoint_rollback, sid)
                self._plainly(super()._savepoint_commit, sid)
                raise
            self.entered_in = sid

    def _savepoint_commit(self, sid):
        self._end_of_savepoint(super()._savepoint_commit, sid)

    def _savepoint_rollback(self, sid):
        self._end_of_savepoint(super()._savepoint_rollback, sid)

    def _end_of_savepoint(self, end, sid):
        if self.entered_in == sid:
            self.entered_in = None
        self._plainly(end, sid)

    def _plainly(self, savepoint, sid):
        self.plain = True
        try:
            savepoint(sid)
        finally:
            self.plain = False

    def _in_a_transaction(self, execute, sql, params, many, context):
        """A statement outside of all atomic blocks, or whose block began before it was in a tenant, has a transaction, or
        a savepoint, of its own."""
        if not self.plain and self._outside(current_entry()) and (self.in_atomic_block or self.get_autocommit()):
            with transaction.atomic(using=self.alias):
                return execute(sql, params, many, context)
        return execute(sql, params, many, context)

    def chunked_cursor(self):
        """Where a statement has a transaction of its own a server-side cursor would outlive it: an ordinary one does not."""
        return self.cursor() if self._outside(current_entry()) else super().chunked_cursor()


class DatabaseWrapper(TenantMixin, base.DatabaseWrapper):
    pass
