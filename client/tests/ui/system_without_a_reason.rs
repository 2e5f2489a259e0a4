//! The system context asks for a reason, and a pool offers no shorter way to it.

use pg_tenant_client::{TenantPool, danger};

fn unexplained(pool: &TenantPool) {
    let _ = danger::system(pool);
}

fn by_the_pool(pool: &TenantPool) {
    let _ = pool.system("shorter");
}

fn main() {}
