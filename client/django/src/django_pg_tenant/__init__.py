"""Each transaction of Django in one tenant, kept apart by PostgreSQL with pg_tenant."""

from .context import AnotherTenant, across_tenants, current_tenant, system_context, tenant_context

__all__ = ["AnotherTenant", "across_tenants", "current_tenant", "system_context", "tenant_context"]
