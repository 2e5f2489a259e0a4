//! A token says who acts; what the actor may is what it is as a member, whatever role the token says, unless it was
//! configured that the token's role counts as well.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::A;

use crate::fixture::{enter, shop_with_keys, token};

const STANDING: &str = "select concat_ws(' ', coalesce(tenant.current_member_role(), '-'), tenant.current_actor(),
    tenant.current_actor_role(), tenant.can('invoice.write'))";

async fn standing(session: &Session, actor: Option<&str>, role: Option<&str>) -> String {
    session.run("begin").await;
    enter(session, &token(A, actor, role)).await.expect("enter");
    let standing = session.value(STANDING).await.expect("a text");
    session.run("rollback").await;
    standing
}

#[tokio::test]
async fn by_the_role_in_it() {
    let (db, _) = shop_with_keys("token_member").await;
    let (admin, boss, role) = (db.admin().await, db.superuser().await, &db.roles.app);
    admin
        .run(&format!(
            "select tenant.define_role('viewer', 10), tenant.define_role('editor', 20, '{{invoice.write}}'),
                tenant.define_role('owner', 40, '{{invoice.write}}'), tenant.add_member('{A}', 'ann', 'editor'),
                tenant.add_member('{A}', 'bob', 'viewer'), tenant.add_member('{A}', 'gone', 'owner'),
                tenant.add_member('{A}', 'boss', 'owner'), tenant.deactivate_member('{A}', 'gone')"
        ))
        .await;
    boss.run(&format!("alter role {role} set pg_tenant.require_signed = on")).await;
    for (setting, expected) in [
        (
            "ignored",
            [
                "editor ann viewer t",
                "viewer bob owner f",
                "viewer bob nothing f",
                "viewer bob f",
                "- gone owner f",
                "- eve owner f",
            ],
        ),
        (
            "at_least",
            [
                "editor ann viewer t",
                "owner bob owner t",
                "viewer bob nothing f",
                "viewer bob f",
                "- gone owner f",
                "- eve owner f",
            ],
        ),
        (
            "at_most",
            [
                "viewer ann viewer f",
                "viewer bob owner f",
                "- bob nothing f",
                "viewer bob f",
                "- gone owner f",
                "- eve owner f",
            ],
        ),
    ] {
        boss.run(&format!("alter role {role} set pg_tenant.token_role = {setting}")).await;
        let app = db.app().await;
        let asked = [
            ("ann", Some("viewer")),
            ("bob", Some("owner")),
            ("bob", Some("nothing")),
            ("bob", None),
            ("gone", Some("owner")),
            ("eve", Some("owner")),
        ];
        for ((actor, role), expected) in asked.into_iter().zip(expected) {
            assert_eq!(standing(&app, Some(actor), role).await, expected, "{setting}");
        }
    }
    // A change bites, whatever a token says that this session has verified before.
    let app = db.app().await;
    boss.run(&format!("alter role {role} reset pg_tenant.token_role")).await;
    admin.run(&format!("select tenant.set_member_role('{A}', 'ann', 'viewer')")).await;
    assert_eq!(standing(&db.app().await, Some("ann"), Some("owner")).await, "viewer ann owner f");
    app.expect_error("TN090", &format!("select tenant.enter('{A}', 'boss')")).await;
}

#[tokio::test]
async fn where_members_only_enter() {
    let (db, _) = shop_with_keys("token_required").await;
    let (admin, boss, role) = (db.admin().await, db.superuser().await, &db.roles.app);
    admin
        .run(&format!(
            "select tenant.define_role('owner', 40, '{{invoice.write}}'), tenant.add_member('{A}', 'ann', 'owner')"
        ))
        .await;
    boss.run(&format!(
        "alter role {role} set pg_tenant.require_signed = on; alter role {role} set pg_tenant.require_member = on;
         alter role {role} set pg_tenant.token_role = at_least"
    ))
    .await;
    let app = db.app().await;
    assert_eq!(standing(&app, Some("ann"), None).await, "owner ann t");
    for (actor, role) in [(None, None), (Some("eve"), Some("owner")), (None, Some("owner"))] {
        app.run("begin").await;
        let refused = enter(&app, &token(A, actor, role)).await.expect_err("no member");
        assert_eq!(refused.code().code(), "TN140", "{refused:?}");
        app.run("rollback").await;
    }
    // One actor a transaction, also where the one has a token and the other has none.
    boss.run(&format!("alter role {role} reset pg_tenant.require_signed")).await;
    let app = db.app().await;
    app.run(&format!("begin; select tenant.enter('{A}', 'ann')")).await;
    let refused = enter(&app, &token(A, Some("ann"), None)).await.expect_err("entered without a token");
    assert_eq!(refused.code().code(), "TN099");
    app.run("rollback; begin").await;
    enter(&app, &token(A, Some("ann"), None)).await.expect("enter");
    app.expect_error("TN099", &format!("select tenant.enter('{A}', 'ann')")).await;
    app.run("rollback").await;
}
