//! A session cannot put itself into the system context: the setting that holds it takes no such value from anybody.

use super::fixture::{COUNT, operator, operator_of, system_shop};

const VALUES: [&str; 2] = ["*system read", "*system write"];

#[tokio::test]
async fn by_writing_the_setting() {
    let db = system_shop("system_said").await;
    let (session, boss, login) = (operator(&db).await, db.superuser().await, operator_of(&db));
    for value in VALUES {
        for sql in [
            format!("set pg_tenant.id = '{value}'"),
            format!("set local pg_tenant.id = '{value}'"),
            format!("select set_config('pg_tenant.id', '{value}', true)"),
            format!("alter role {login} set pg_tenant.id = '{value}'"),
            format!("create function pg_temp.f() returns int language sql set pg_tenant.id = '{value}' as 'select 1'"),
        ] {
            let error = session.batch_execute(&sql).await.expect_err(&sql);
            assert_eq!(error.code().map(|c| c.code()), Some("42501"), "{sql}: {error:?}");
        }
        // Nor is it taken from a superuser, or kept for later sessions.
        for sql in [
            format!("set pg_tenant.id = '{value}'"),
            format!("set local pg_tenant.id = '{value}'"),
            format!("select set_config('pg_tenant.id', '{value}', false)"),
            format!("alter role {login} set pg_tenant.id = '{value}'"),
            format!("begin; select tenant.enter_system('a test'); reset role; set local pg_tenant.id = '{value}'"),
        ] {
            boss.expect_error("22023", &sql).await;
            boss.run("rollback").await;
        }
        boss.expect_error("TN035", &format!("alter database {} set pg_tenant.id = '{value}'", db.name)).await;
        // A binding put where the check cannot see it gives no context, but no session either way.
        let mut options = db.config(&login);
        options.options(format!("-c pg_tenant.id={}", value.replace(' ', "\\ ")));
        assert!(pg_tenant_tests::Session::try_connect(&options).await.is_err(), "a startup option");
        let mut options = db.config("postgres");
        options.options(format!("-c pg_tenant.id={}", value.replace(' ', "\\ ")));
        assert!(pg_tenant_tests::Session::try_connect(&options).await.is_err(), "a superuser's startup option");
    }
    // FROM CURRENT and a function's SET clause, made inside the context, do not carry it out.
    boss.run("begin; grant create on schema public to tenant_system; commit").await;
    boss.expect_error(
        "42501",
        "begin; select tenant.enter_system('a test', write => true);
         create function public.carries() returns bigint language sql set pg_tenant.id from current as 'select 1::bigint'",
    )
    .await;
    boss.run("rollback").await;
    session.expect_error("TN001", COUNT).await;
}

#[tokio::test]
async fn it_can_be_given_up_by_nobody_but_its_end() {
    let db = system_shop("system_kept").await;
    let session = operator(&db).await;
    let enter = "begin; select tenant.enter_system('a test')";
    for sql in ["reset pg_tenant.id", "set local pg_tenant.id = ''", "set pg_tenant.id to default"] {
        session.expect_error("42501", &format!("{enter}; {sql}")).await;
        session.run("rollback").await;
    }
    session.run(&format!("{enter}; reset all; {COUNT}; commit")).await;
    // A superuser's RESET leaves the role without the context: no tenant.
    let boss = db.superuser().await;
    boss.run(&format!("{enter}; reset role; reset pg_tenant.id; set local role tenant_system")).await;
    boss.expect_error("TN001", COUNT).await;
    boss.run("rollback").await;
}
