"""Whose work this is: a context variable, which threads and tasks do not share, and which the backend reads."""

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS, transaction


class AnotherTenant(Exception):
    """A tenant is asked for inside the block of another one, or of none in particular."""


@dataclass(frozen=True)
class Entry:
    """The first statement of each transaction."""

    what: str
    sql: str
    parameters: tuple


_current: ContextVar[Entry | None] = ContextVar("pg_tenant", default=None)


def current_entry():
    return _current.get()


def current_tenant():
    """The id of the tenant of this block; None where there is none."""
    entry = _current.get()
    return entry.parameters[0] if entry and entry.what == "tenant" else None


def tenant_context(id, *, using=DEFAULT_DB_ALIAS, atomic=True):
    """The block is this tenant's, in one transaction.

    With atomic=False in as many as it opens, and a statement outside of them has one of its own.
    """
    entry = Entry("tenant", "select tenant.enter_pristine(%s)", (str(id),))
    return _block(entry, using, atomic)


def across_tenants(reason, *, using=DEFAULT_DB_ALIAS):
    """The block sees and writes every tenant's rows in the tables that the login owns. For migrations."""
    return _block(Entry("owner", "select tenant.enter_system_as_owner(%s)", (reason,)), using, True)


def system_context(reason, *, write=False, using=DEFAULT_DB_ALIAS):
    """The block sees every tenant's rows, with the rights of the role tenant_system. For reports and repairs."""
    entry = Entry("system", "select tenant.enter_system_pristine(%s, %s)", (reason, write))
    return _block(entry, using, True)


@contextmanager
def _block(entry, using, atomic):
    outer = _current.get()
    if outer is not None and outer != entry:
        raise AnotherTenant(f"{entry.what} {entry.parameters[0]!r} inside {outer.what} {outer.parameters[0]!r}")
    token = _current.set(entry)
    try:
        if not atomic:
            yield
            return
        with transaction.atomic(using=using):  # the backend enters
            yield
    finally:
        _current.reset(token)
