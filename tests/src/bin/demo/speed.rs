//! Calls per second beside the usual way.

use pg_tenant_tests::pace::Pace;

use crate::world::{APP, World};
use crate::{data, heading, table};

/// Calls in each round, and rounds.
const CALLS: i64 = 400;
const ROUNDS: usize = 9;

/// Returns what was wrong.
pub async fn run(world: &World) -> anyhow::Result<Vec<String>> {
    heading("3. Calls a second, beside the usual way (begin, set_config, query, commit) on a stock policy, in turns");
    let tenant = data::id(0);
    let keys = "select o_orderkey from stock.orders where tenant_id = $1 order by o_orderkey limit $2";
    let rows = world.session("postgres").await.query(keys, &[&tenant, &CALLS]).await?;
    let keys = rows.iter().map(|row| row.get(0)).collect();
    let queries = [
        "select o_custkey from orders where o_orderkey = $1",
        "select o_custkey from stock.orders where o_orderkey = $1",
    ];
    let pace = Pace::new(&world.config(APP), &world.url(APP), tenant, keys, queries)?;
    let mut report = table(&["call", "ratio to the usual way"]);
    for (name, ratio) in pace.compare(ROUNDS).await? {
        report.add_row([name.to_string(), format!("{ratio:.2} ×")]);
    }
    println!("{report}");
    println!("Both on this machine: over a network the round trips that the client saves weigh more.");
    Ok(Vec::new())
}
