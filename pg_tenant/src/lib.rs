//! pg_tenant.
