//! Every entry into the system context is recorded: who, when, why, and whether for writing.

use super::fixture::{COUNT, READ, operator, operator_of, system_shop};

#[tokio::test]
async fn without_a_reason() {
    let db = system_shop("system_reason").await;
    let session = operator(&db).await;
    for enter in ["enter_system('')", "enter_system('  ')", "enter_system(null)", "enter_system_pristine(null, true)"] {
        let error = session.expect_error("TN029", &format!("select tenant.{enter}")).await;
        assert!(error.hint().is_some_and(|h| h.contains("enter_system('<reason>')")), "{error:?}");
    }
    // A reason that forges a line of the log, or hides what follows.
    for forged in ["a\\nLOG:  all is well", "a\\u2028b", "a\\u202Eb", "a\\u001b[2K"] {
        session.expect_error("TN100", &format!("select tenant.enter_system(E'{forged}')")).await;
    }
    session.expect_error("42883", "select tenant.enter_system()").await;
    // A null for write is no write.
    session.run("begin; select tenant.enter_system('a test', null)").await;
    session.expect_error("25006", "delete from orders").await;
    session.run("rollback").await;
}

#[tokio::test]
async fn in_the_journal() {
    let db = system_shop("system_journal").await;
    let (session, admin, login) = (operator(&db).await, db.admin().await, operator_of(&db));
    session.run(&format!("begin; select tenant.enter_system(' month-end '); {COUNT}; commit")).await;
    session
        .run(
            "begin; select tenant.enter_system('repair ''7''', write => true); delete from orders where id = 1; commit",
        )
        .await;
    session.run("begin; select tenant.enter_system('undone', write => true); rollback").await;
    session.run("begin read only; select tenant.enter_system('unwritten'); commit").await;
    let lines = admin
        .rows("select reason, detail ->> 'write', role, session_role from tenant.journal where action = 'enter_system' order by id")
        .await;
    let line = |reason: &str, write: &str| {
        [reason, write, "tenant_system", &login].map(|value| Some(value.to_owned())).to_vec()
    };
    assert_eq!(lines, [line("month-end", "false"), line("repair '7'", "true")]);
    // Nobody else writes such a line, or takes one away, in the context either.
    for sql in [
        "insert into tenant.journal (action, object, reason) values ('enter_system', 'x', 'forged')",
        "delete from tenant.journal",
        "update tenant.journal set reason = ''",
        "truncate tenant.journal",
        "select tenant_internal.journal_system('forged', false)",
    ] {
        session.expect_error("42501", &format!("begin; select tenant.enter_system('a test', true); {sql}")).await;
        session.run("rollback").await;
    }
}

/// Also where the journal is not written, and whatever becomes of the transaction.
#[tokio::test]
async fn in_the_servers_log() {
    let db = system_shop("system_log").await;
    let (session, login) = (operator(&db).await, operator_of(&db));
    session.run("set client_min_messages = log").await;
    for (n, (how, sql)) in [
        ("for reading", "begin; select tenant.enter_system('{r}'); commit"),
        ("for reading", "begin; select tenant.enter_system('{r}'); rollback"),
        ("for reading", "begin read only; select tenant.enter_system('{r}'); commit"),
        ("for writing", "begin; select tenant.enter_system('{r}', true); rollback"),
        ("for writing", "begin; savepoint s; select tenant.enter_system_pristine('{r}', true); rollback to s; commit"),
    ]
    .iter()
    .enumerate()
    {
        if sql.contains("pristine") {
            session.run("discard all").await;
        }
        let reason = format!("reason {n} of {}", db.name);
        session.run(&sql.replace("{r}", &reason)).await;
        let line = format!("LOG:  role \"{login}\" enters the system context of pg_tenant {how}: {reason}");
        assert_eq!(db.cluster().log().matches(&line).count(), 1, "{sql}\n{line}");
    }
    assert!(session.notices().iter().all(|notice| !notice.message().contains("system context")));
    // A reason of two lines does not make a line of its own.
    session.expect_error("TN100", "select tenant.enter_system(E'one\\n2026-01-01 LOG:  forged')").await; // TN100
    assert!(!db.cluster().log().lines().any(|line| line.starts_with("2026-01-01 LOG:  forged")));
}

#[tokio::test]
async fn for_the_session_itself() {
    let db = system_shop("system_told").await;
    let (session, app) = (operator(&db).await, db.app().await);
    let told = "select tenant.in_system_context()";
    assert_eq!(app.value(told).await.as_deref(), Some("f"));
    session.run(&format!("begin; {READ}")).await;
    assert_eq!(session.value(told).await.as_deref(), Some("t"));
    assert_eq!(session.value("select tenant.current_id()").await, None);
    session.run("reset role").await;
    assert_eq!(session.value(told).await.as_deref(), Some("f"), "its role is left");
    session.run("commit").await;
}
