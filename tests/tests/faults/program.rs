//! What is run with a fault in it, and what must hold afterwards.

use pg_tenant_tests::shop::{A, B};
use pg_tenant_tests::{Database, Session};

/// A program and who runs it. `{a}` and `{b}` are the tenants, `{token}` a token for the first.
pub struct Program {
    pub name: &'static str,
    pub role: Role,
    pub sql: &'static str,
    /// How it ends where no fault comes; "" where it gets through.
    pub ends: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    App,
    Owner,
    Bound,
    Operator,
}

const fn program(name: &'static str, role: Role, ends: &'static str, sql: &'static str) -> Program {
    Program { name, role, sql, ends }
}

/// Every hook and callback of the extension has its part in one of these.
pub const PROGRAMS: &[Program] = &[
    program("enter", Role::App, "", "begin; select tenant.enter('{a}'); select tenant_id from orders; update orders set note = note; commit"),
    program(
        "savepoints",
        Role::App,
        "",
        "begin; savepoint s; select tenant.enter('{a}'); select tenant_id from orders; rollback to s; select tenant.enter('{a}');
         savepoint t; select tenant_id from orders where note like '%'; release t; rollback",
    ),
    program(
        "pool",
        Role::App,
        "",
        "begin; select tenant.enter_pristine('{a}'); declare c cursor for select tenant_id from orders; fetch 1 from c; commit",
    ),
    program("signed", Role::App, "", "begin; select tenant.enter_signed('{token}'); select tenant.current_actor(); commit"),
    // Errors that are caught, and a foreign key's own statements: what they change must not last.
    program(
        "caught",
        Role::App,
        "",
        "begin; select tenant.enter('{a}'); select tried('update parents set id = id + 100'); select tried('select count(*) from orders');
         select tried('delete from parents'); select tried('select tenant.enter(''{b}'')'); select tenant_id from orders;
         select tenant_id from children; rollback",
    ),
    program("no tenant", Role::App, "TN001", "select * from orders"),
    program("guard", Role::Owner, "TN032", "begin; select tenant.enter('{a}'); alter table orders add more int"),
    program("fence", Role::Owner, "TN030", "alter table orders disable row level security"),
    program("partition", Role::Owner, "", "drop table if exists events_2; create table events_2 partition of events for values from (10) to (20)"),
    program(
        "protect",
        Role::Owner,
        "",
        "begin; create table fresh (tenant_id uuid); select tenant.protect('fresh'); select tenant.unprotect('fresh', 'a test'); rollback",
    ),
    program("bound", Role::Bound, "", "begin; select tenant_id from orders; savepoint s; select tenant_id from children; rollback to s; commit"),
    program(
        "system",
        Role::Operator,
        "",
        "begin; savepoint s; select tenant.enter_system('a test', true); update orders set note = note; rollback to s;
         select tenant.enter_system('a test', true); commit",
    ),
];

/// The rest of the shop: a foreign key with an action, a partitioned table, and a function that catches what comes.
pub const REST: &str = "create table parents (tenant_id uuid, id int, primary key (tenant_id, id));
    create table children (tenant_id uuid, parent int, foreign key (tenant_id, parent) references parents on update cascade on delete set null (parent));
    create table events (tenant_id uuid, at int) partition by range (at);
    create table events_1 partition of events for values from (0) to (10);
    select tenant.protect('parents'), tenant.protect('children'), tenant.protect('events');
    create function tried(statement text) returns text language plpgsql as $$
        begin execute statement; return ''; exception when others then return sqlstate; end $$;
    grant select, insert, update, delete on parents, children, events to public";

impl Program {
    /// The program for this shop.
    pub fn sql(&self, token: &str) -> String {
        self.sql.replace("{a}", A).replace("{b}", B).replace("{token}", token)
    }

    /// A session for it.
    pub async fn session(&self, db: &Database<'_>) -> Session {
        let role = match self.role {
            Role::App => db.roles.app.clone(),
            Role::Owner => db.roles.owner.clone(),
            Role::Bound => bound(db),
            Role::Operator => db.roles.bystander.clone(),
        };
        db.connect(&role).await
    }

    /// Whatever the fault was, the session has no tenant but that of its role, and shows no row of another.
    pub async fn must_hold(&self, session: &Session, what: &str) {
        let orders = "select string_agg(distinct tenant_id::text, ',') from orders";
        if self.role == Role::Bound {
            assert_eq!(session.value(orders).await.as_deref(), Some(A), "{what}");
            return;
        }
        assert_eq!(session.value("select tenant.current_id()").await, None, "{what}");
        assert_eq!(session.value("select tenant.in_system_context()").await.as_deref(), Some("f"), "{what}");
        assert_eq!(session.value("select current_user = session_user").await.as_deref(), Some("t"), "{what}");
        session.expect_error("TN001", orders).await;
        session.expect_error("TN001", "select from events").await;
        session.run(&format!("begin; select tenant.enter('{B}')")).await;
        assert_eq!(session.value(orders).await.as_deref(), Some(B), "{what}");
        let parents = "select count(*) from parents join children on parent = id";
        assert_eq!(session.value(parents).await.as_deref(), Some("1"), "{what}");
        session.run("rollback").await;
    }
}

/// The role that is bound to A.
pub fn bound(db: &Database<'_>) -> String {
    format!("regress_{}_bound", db.name)
}
