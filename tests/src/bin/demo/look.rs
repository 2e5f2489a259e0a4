//! How to connect and look around; with `KEEP=1` the server stays.

use crate::data::{self, TENANTS};
use crate::heading;
use crate::world::{ADMIN, APP, BOUND, World};

pub async fn around(world: World) -> anyhow::Result<()> {
    let keep = std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0");
    let admin = world.session(ADMIN).await;
    let (bound, acme) = (data::id(3), data::id(0));
    admin.query("select tenant.bind_role($1::text::name, $2)", &[&BOUND, &bound.to_string()]).await?;
    let here = world.session(BOUND).await.query_one("select count(*) from orders", &[]).await?.get::<_, i64>(0);

    heading("4. Look around");
    println!("{BOUND} is bound to {}: `select count(*) from orders` says {here} there.", TENANTS[3]);
    if !keep {
        println!("The server ends now. `make demo KEEP=1` leaves it up.");
        return Ok(());
    }
    let psql = world.cluster.install().bindir.join("psql");
    let psql = psql.display();
    println!(
        "
An application, which enters a tenant in each transaction:
  {psql} {app}
    select count(*) from orders;                                  -- refused: no tenant
    begin; select tenant.enter('{acme}');
    select count(*) from orders; commit;                          -- {name}'s

A role that lives inside {bound}:
  {psql} {bi}
    select count(*) from orders;

Who protects and manages:
  {psql} {adm}
    select * from tenant.protected_tables;
    select id, slug, status from tenant.tenants;
    select * from tenant.journal;

`make demo-stop` ends the server.",
        app = world.url(APP),
        bi = world.url(BOUND),
        adm = world.url(ADMIN),
        name = TENANTS[0],
        bound = TENANTS[3],
    );
    drop(admin);
    world.cluster.leave_running();
    Ok(())
}
