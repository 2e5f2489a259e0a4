//! A job runs in the tenant in which it was ordered, and a job without a tenant is refused.

use pg_tenant_client::{Envelope, Error, Signer, Tenant, TenantPool, TokenSigner};
use pg_tenant_tests::shop::{A, B};

use crate::signed::{SECRET, shop_with_keys};

/// Jobs of both tenants wait in one queue, a table that all share. The worker has no tenant of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_its_way_through_a_queue() {
    let (db, _) = shop_with_keys("jobs").await;
    db.owner().await.run("create table jobs (id int generated always as identity, job jsonb)").await;
    let signer = TokenSigner::new(Signer::hs256(Some("hs"), SECRET).unwrap());
    let pool = TenantPool::builder(db.config(&db.roles.app)).max_size(2).signer(signer).build().unwrap();
    let queue = db.app().await;

    let send = async |job: Vec<u8>| {
        let job = String::from_utf8(job).unwrap();
        queue.execute("insert into jobs (job) values ($1::text::jsonb)", &[&job]).await.unwrap();
    };
    for (tenant, actor) in [(A, "ann"), (B, "bob"), (A, "ada")] {
        let ordered = tenant.parse::<Tenant>().unwrap().with_actor(actor);
        send(Envelope::new(&ordered, format!("ordered by {actor}")).to_vec().unwrap()).await;
    }
    send(br#"{"payload": "who am I?"}"#.to_vec()).await;
    send(br#"{"tenant": "", "payload": "who am I?"}"#.to_vec()).await;

    let mut refused = Vec::new();
    for row in queue.query("select job::text from jobs order by id", &[]).await.unwrap() {
        let job = match Envelope::<String>::from_slice(row.get::<_, String>(0).as_bytes()) {
            Ok(job) => job,
            Err(error) => {
                refused.push(error.code().map(str::to_owned));
                continue;
            }
        };
        // Nothing but the ambient tenant tells this closure whose job it is.
        let done: Result<u64, Error> = job
            .again()
            .run(async |note| {
                let sql = "insert into orders (id, note)
                    select 100 + (select count(*) from orders), $1 || ' done for ' || tenant.current_actor()";
                pool.current().execute(sql, &[&note]).await
            })
            .await;
        assert_eq!(done.unwrap(), 1);
    }
    assert_eq!(refused, [Some("TN001".to_owned()), Some("TN004".to_owned())]);

    let done = "select tenant_id::text || ' ' || note from orders where id >= 100 order by note";
    let done: Vec<_> = db.superuser().await.rows(done).await.into_iter().flatten().flatten().collect();
    let expected = [(A, "ada"), (A, "ann"), (B, "bob")];
    assert_eq!(done, expected.map(|(id, who)| format!("{id} ordered by {who} done for {who}")));
}
