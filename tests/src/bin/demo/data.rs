//! TPC-H's tables as lines for COPY, each customer with its orders in one tenant.

use std::collections::HashMap;

use pg_tenant_tests::copy_in;
use tokio_postgres::Client;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use uuid::Uuid;

/// The tenants, the largest first.
pub const TENANTS: [&str; 8] = ["acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka"];

/// The tables that every tenant reads.
pub const SHARED: [&str; 5] = ["region", "nation", "part", "supplier", "partsupp"];

/// The id of a tenant: the same in every run, so that commands can be written down.
pub fn id(tenant: usize) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001 + tenant as u128)
}

/// Whose a customer is: the k-th tenant has a share of about 1/k^1.5, as tenants do.
fn tenant_of(customer: i64) -> usize {
    let weight = |rank: usize| (rank as f64 + 1.0).powf(-1.5);
    let all: f64 = (0..TENANTS.len()).map(weight).sum();
    let spread = (customer as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
    let mut left = spread as f64 / (1u64 << 53) as f64 * all;
    for tenant in 0..TENANTS.len() {
        left -= weight(tenant);
        if left < 0.0 {
            return tenant;
        }
    }
    TENANTS.len() - 1
}

/// Loads everything; says how many rows.
pub async fn load(client: &Client, scale: f64) -> anyhow::Result<u64> {
    // TPC-H ends each field with the delimiter, also the last one.
    let line = |row: &dyn std::fmt::Display| format!("{}\n", row.to_string().trim_end_matches('|'));
    let owned = |tenant: usize, row: &dyn std::fmt::Display| format!("{}|{}", id(tenant), line(row));
    let from = |table: &str| format!("copy {table} from stdin (delimiter '|')");
    let mut rows = 0;
    macro_rules! load {
        ($table:literal, $generator:ident, $line:expr) => {
            rows += copy_in(client, &from($table), $generator::new(scale, 1, 1).iter().map($line)).await?
        };
    }
    load!("region", RegionGenerator, |row| line(&row));
    load!("nation", NationGenerator, |row| line(&row));
    load!("part", PartGenerator, |row| line(&row));
    load!("supplier", SupplierGenerator, |row| line(&row));
    load!("partsupp", PartSuppGenerator, |row| line(&row));
    load!("customer", CustomerGenerator, |row| owned(tenant_of(row.c_custkey), &row));
    let mut orders = HashMap::new();
    load!("orders", OrderGenerator, |row| {
        let tenant = tenant_of(row.o_custkey);
        orders.insert(row.o_orderkey, tenant);
        owned(tenant, &row)
    });
    load!("lineitem", LineItemGenerator, |row| owned(orders[&row.l_orderkey], &row));
    Ok(rows)
}
