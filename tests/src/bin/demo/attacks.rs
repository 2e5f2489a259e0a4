//! Every attack, on a stock policy and on pg_tenant.

use pg_tenant_tests::attack::{Stage, Stock, all};
use tokio_postgres::SimpleQueryMessage;

use crate::world::World;
use crate::{data, heading, table};

/// How many orders are attacked; each attack has a copy of its own.
const ORDERS: usize = 5000;

/// Returns what was wrong.
pub async fn run(world: &World) -> anyhow::Result<Vec<String>> {
    heading("2. The same attacks, on the same rows, on a stock policy and on pg_tenant");
    // The third tenant attacks, the second is the victim: the orders as they are now.
    let dba = world.session("postgres").await;
    let orders = format!(
        "select o_orderkey, tenant_id, coalesce(o_totalprice, 0), 'order' from orders order by o_orderkey limit {ORDERS}"
    );
    let mut rows = String::new();
    for message in dba.simple_query(&orders).await? {
        if let SimpleQueryMessage::Row(row) = message {
            let fields: Vec<_> = (0..row.len()).map(|field| row.get(field).unwrap_or_default()).collect();
            rows += &(fields.join("\t") + "\n");
        }
    }
    let stage = Stage::new(&world.cluster, &rows, &data::id(2).to_string(), &data::id(1).to_string()).await;

    let mut report = table(&["attack", "stock policy", "pg_tenant"]);
    let (mut wrong, mut leaks, mut held, mut through) = (Vec::new(), 0, 0, 0);
    for attack in all() {
        let (stock, ours) = stage.run(attack).await;
        report.add_row([attack.name.to_string(), stock.to_string(), ours.to_string()]);
        if stock.leaked() != (attack.stock == Stock::Leaks) {
            wrong.push(format!("{}: stock was said to {:?}, and it was: {stock}", attack.name, attack.stock));
        }
        if ours.leaked() {
            wrong.push(format!("{}: got through: {ours}", attack.name));
        }
        leaks += usize::from(stock.leaked());
        held += usize::from(!stock.leaked());
        through += usize::from(ours.leaked());
    }
    println!("{report}");
    println!(
        "{} attacks: {leaks} leak on a stock policy, {held} PostgreSQL stops by itself, {through} got through pg_tenant.",
        leaks + held
    );
    println!("The stock policy is the careful one: forced, for all commands, closed where the setting is missing.");
    Ok(wrong)
}
