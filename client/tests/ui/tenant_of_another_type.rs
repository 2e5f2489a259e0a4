//! What may be missing, and what is no key, names no tenant.

use pg_tenant_client::TenantPool;

struct CustomerId(i64);

fn handles(pool: &TenantPool, found: Option<i64>, customer: CustomerId) {
    drop(pool.tenant(found));
    drop(pool.tenant(7.0));
    drop(pool.tenant(customer));
    drop(pool.tenant(7));
}

fn main() {
    let _ = CustomerId(1).0;
}
