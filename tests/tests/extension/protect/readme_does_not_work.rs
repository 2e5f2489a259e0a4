//! The blocks of README.md for the DBA, for SQL tools and for who runs the service, and the steps of adopting it, work
//! as they are written. Without the right that the DBA gives, the refusal names it.

use pg_tenant_tests::Session;

use super::fixture::{stage, text};

const README: &str = include_str!("../../../../README.md");

#[tokio::test]
async fn for_the_dba() {
    let cluster = pg_tenant_tests::Cluster::start(pg_tenant_tests::Options::default());
    let db = cluster.plain_database("readme").await;
    let block = README.split("## For the DBA").nth(1).and_then(|rest| rest.split("```sql\n").nth(1)).expect("a block");
    let block = block.split("```").next().expect("its end");
    let (as_dba, as_owner) = block.split_once("-- as app_owner").expect("the owner's part");
    let boss = db.superuser().await;
    boss.run("create role app_owner login; create role app login; create role operator login").await;
    boss.run(
        "create table orders (tenant_id text, id int); create table countries (code text);
         alter table orders owner to app_owner; alter table countries owner to app_owner",
    )
    .await;
    boss.run(as_dba).await;
    let owner = db.connect("app_owner").await;
    owner.run(as_owner).await;
    let adopting =
        README.split("## Adopting it").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section");
    let statements: Vec<_> = adopting.split('`').filter(|code| code.starts_with("select")).collect();
    assert!(!statements.is_empty(), "{adopting}");
    for statement in statements {
        owner.run(statement).await;
    }
    boss.run("grant select on orders to app").await;
    let app = db.connect("app").await;
    for_any_sql_tool(&app).await;
    for_who_runs_the_service(&owner, &app).await;
}

async fn for_who_runs_the_service(owner: &Session, app: &Session) {
    let section = README.split("## For who runs the service").nth(1).expect("a section");
    let block = section.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let (as_owner, as_app) = block.split_once("-- as app\n").expect("the application's part");
    owner.run(as_owner).await;
    let (reads, _) = as_app.split_once("select at").expect("what it may");
    app.run(reads).await;
    let has = "select tenant.can('orders.write') and tenant.feature('export')
        and tenant.setting('billing.currency') = 'EUR'";
    assert!(app.query_one(has, &[]).await.expect("an answer").get::<_, bool>(0));
    app.run("commit").await;
    app.run(as_app).await;
}

/// Its last statement is refused with the words that stand there.
async fn for_any_sql_tool(app: &Session) {
    let block =
        README.split("## For any SQL tool").nth(1).and_then(|rest| rest.split("```sql\n").nth(1)).expect("a block");
    let (works, rest) = block.split_once("commit;\n").expect("a transaction");
    app.run(&format!("{works}commit")).await;
    let (statement, said) = rest.split_once("-- ERROR:").expect("a refusal");
    let (said, _) = said.split_once("```").expect("an end");
    let (message, hint) = said.split_once("-- HINT:").expect("a hint");
    let words = |text: &str| text.replace("--", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let refused = app.expect_error("TN001", statement.trim().trim_end_matches(';')).await;
    assert_eq!(words(refused.message()), words(message));
    assert_eq!(words(refused.hint().expect("a hint")), words(hint));
}

#[tokio::test]
async fn without_the_right_to_create() {
    let (db, owner) = stage("no_create").await;
    owner.run("create table orders (tenant_id text, id int); create table keyed (tenant_id text, id int, primary key (tenant_id, id))").await;
    db.superuser().await.run(&format!("revoke create on schema public from {}", db.roles.owner)).await;
    let refused = owner.expect_error("42501", "select tenant.protect('orders')").await;
    assert!(refused.message().contains("schema public") && refused.message().contains("orders"), "{refused:?}");
    owner.run("select tenant.protect('keyed')").await; // it makes no index
    db.superuser().await.run(refused.hint().expect("a hint")).await;
    owner.run("select tenant.protect('orders')").await;
}

#[tokio::test]
async fn to_change_the_length_of_the_tenant_column() {
    let (_db, owner) = stage("longer").await;
    owner.run("create table orders (\"Tenant\" varchar(10), id int); select tenant.protect('orders', 'Tenant')").await;
    let alter = "alter table orders alter column \"Tenant\" type varchar(80)";
    let refused = owner.expect_error("TN030", alter).await; // TN030
    let hint = refused
        .hint()
        .expect("a hint")
        .strip_prefix("In one transaction: ")
        .expect("the way")
        .replace("type ...", "type varchar(80)");
    owner.run(&format!("begin; {hint} commit")).await;
    assert_eq!(text(&owner, "select tenant_type from tenant.protected_tables").await, "character varying(80)");
    owner.expect_error("TN001", "select * from orders").await;
}
