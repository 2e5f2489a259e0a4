//! No table and no view of the extension tells a tenant a line of another one's, whoever asks inside it; and none can
//! be changed there. They are taken from the catalog: one that comes later is in it, and needs lines here, or a reason.

use std::collections::BTreeSet;

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// Stands in all that B has.
const MARK: &str = "zebra";

/// Tables whose lines are of all tenants, or of none: what is declared, allowed and waived, and how the journal is
/// kept.
const OF_NOBODY: [&str; 26] = [
    "tenant.audited",
    "tenant.billing_policies",
    "tenant.channels",
    "tenant.job_kinds",
    "tenant.journal_removals",
    "tenant.journal_retention",
    "tenant.journal_sealings",
    "tenant.lookups",
    "tenant.meters",
    "tenant.permissions",
    "tenant.plans",
    "tenant.ready_pools",
    "tenant.reserved_slugs",
    "tenant.roles",
    "tenant.row_security_cves",
    "tenant.schedules",
    "tenant.setting_definitions",
    "tenant.shared",
    "tenant.waivers",
    "tenant_internal.definitions_stamp",
    "tenant_internal.job_look",
    "tenant_internal.job_wakes",
    "tenant_internal.journal_origin",
    "tenant_internal.journal_protection",
    "tenant_internal.journal_rest",
    "tenant_internal.registry_epoch",
];

const RELATIONS: &str = "select c.oid::regclass::text, c.relkind::text from pg_class c
    where c.relnamespace in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm')
    order by 1";

async fn stage(name: &str) -> Database<'static> {
    let db = shop(name).await;
    let (boss, ann) = (db.superuser().await, format!("regress_{}_ann", db.name));
    boss.run(&format!(
        "create role {ann} login; create role {ann}_b login; create role {ann}_bound login;
         grant tenant_support to {ann}; grant tenant_user to {ann}_b, {ann}_bound;
         select tenant.define_plan('basic'); select tenant.declare_setting('note');
         select tenant.set_plan('{B}', 'basic'), tenant.set_setting('{B}', 'note', '\"{MARK}\"', 'for {MARK}');
         update tenant.tenants set name = '{MARK}', slug = '{MARK}' where id = '{B}';
         update tenant.tenants set slug = '{MARK}-2' where id = '{B}';
         select tenant.verify_domain('{B}', '{MARK}.example', tenant.add_domain('{B}', '{MARK}.example'));
         select tenant.define_role('owner', 9), tenant.add_member('{A}', 'ann', 'owner');
         select tenant.add_member('{B}', '{MARK}', 'owner'), tenant.invite('{B}', '{MARK}@example.com', 'owner');
         select tenant.begin_onboarding('{MARK}-new', '[{{\"step\": \"one\"}}]');
         select tenant.set_ready_pool('default', 1, '[{{\"step\": \"one\"}}]');
         select tenant.begin_onboarding('{MARK}-ready', '[{{\"step\": \"one\", \"at_claim\": true}}]', pool => 'default');
         select tenant.bind_role('{ann}_b', '{B}'), tenant.bind_role('{ann}_bound', '{A}'); select tenant.audit('orders')"
    ))
    .await;
    boss.run(&format!("set session authorization {ann}; select tenant.impersonate('{B}', '{MARK}', 'for {MARK}')"))
        .await;
    let app = db.app().await;
    app.inside(B, &format!("insert into orders (id, note) values (9001, '{MARK}'); select tenant.enqueue('{MARK}'), tenant.add_data_key('{MARK}', 1, 'x')"))
        .await;
    boss.run(&format!(
        "reset session authorization; select tenant.set_job_share('{B}', 2), tenant.claim_jobs('{MARK}')"
    ))
    .await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "select tenant.define_meter('calls', 'calls'), tenant.set_quota('{B}', 'calls', 9, 1), tenant.consume_for('{B}', 'calls', 2);
         select tenant.define_meter('orders', 'orders', 'forever'); select tenant.meter_rows('orders', 'orders');
         insert into tenant.usage_days values ('{B}', 'calls', current_date - 2, 0, 7, now()); select tenant.export_usage('2020-01-01')"
    ))
    .await;
    boss.run(&format!(
        "select tenant.set_billing_policy(''), tenant.link_billing_customer('{B}', 'stripe', '{MARK}');
         select tenant.apply_billing_event('stripe', 'evt', now(), 'subscription',
             '{{\"customer\": \"{MARK}\", \"subscription\": \"{MARK}\", \"status\": \"active\", \"plan\": \"basic\"}}')"
    ))
    .await;
    // Lines are sealed when no transaction of the server is older; other tests have such.
    let sealed = format!("select count(*) from tenant.journal_seals where tenant_id = '{B}'");
    while boss.value(&sealed).await.as_deref() == Some("0") {
        boss.run("select tenant.seal_journal()").await;
    }
    db
}

/// What was told of B, or why nothing was.
async fn told(session: &Session, relation: &str) -> Result<i64, String> {
    let sql = format!(
        "select count(*) from {relation} \"the row\" where (\"the row\".*)::text like any ('{{%{MARK}%,%{B}%}}')"
    );
    match session.query_one(&sql, &[]).await {
        Ok(row) => Ok(row.get(0)),
        Err(error) => Err(error.code().expect("the server's").code().to_owned()),
    }
}

#[tokio::test]
async fn by_reading_or_writing_it() {
    let db = stage("anothers_line").await;
    let boss = db.superuser().await;
    let relations = boss.query(RELATIONS, &[]).await.expect("relations");
    let (mut of_nobody, mut read) = (BTreeSet::new(), BTreeSet::new());
    let ann = format!("regress_{}_ann", db.name);
    let support = db.connect(&ann).await;
    let grant = format!("select tenant.impersonate('{A}', 'ann', 'ticket 7', write => true)");
    let grant = support.value(&grant).await.expect("a grant");
    let inside = [
        (db.app().await, format!("select tenant.enter('{A}', 'ann')")),
        (db.connect(&format!("{ann}_bound")).await, "select tenant.current_id()".to_owned()),
        (support, format!("select tenant.enter_as('{grant}')")),
    ];
    for relation in &relations {
        let (name, kind): (String, String) = (relation.get(0), relation.get(1));
        // Parts of the journal for months that are yet to come are empty.
        let is_a_month = name.starts_with("tenant_internal.journal_20");
        if kind != "v" && !is_a_month && told(&boss, &name).await == Ok(0) {
            of_nobody.insert(name.clone());
        }
        for (session, enter) in &inside {
            session.run(&format!("begin; {enter}")).await;
            match told(session, &name).await {
                Ok(lines) => {
                    assert_eq!(lines, 0, "{name} tells of B after {enter}");
                    read.insert(name.clone());
                }
                Err(code) => assert!(code == "42501" || code.starts_with("TN"), "{name}: {code}"),
            }
            session.run("rollback").await;
            for change in [format!("delete from {name}"), format!("insert into {name} default values")] {
                session.run(&format!("begin; {enter}")).await;
                let refused = session.execute(&change, &[]).await.expect_err(&change);
                let code = refused.code().expect("the server's").code();
                // A view that is none of one table cannot be changed by anybody.
                assert!(code == "42501" || code == "55000" || code.starts_with("TN"), "{change}: {code}");
                session.run("rollback").await;
            }
        }
    }
    let reasons = OF_NOBODY.map(str::to_owned).into_iter().collect();
    assert_eq!(of_nobody, reasons, "tables without a line of B's");
    assert!(read.contains("tenant.audit_log") && read.contains("tenant.current_members"), "{read:?}");
}
