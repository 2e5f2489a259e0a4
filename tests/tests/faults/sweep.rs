//! A program with a fault at its first point, at its second, and so on, until it gets through.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pg_tenant_tests::shop::{A, B};
use pg_tenant_tests::{Cluster, Database, Session, describe};
use pg_tenant_token::{Grant, Signer};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio_postgres::error::DbError;

use crate::library;
use crate::program::{Program, REST, bound};

/// What happens at the point.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Error,
    Cancel,
    Terminate,
    Malloc,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Fault::Error => "error",
            Fault::Cancel => "cancel",
            Fault::Terminate => "terminate",
            Fault::Malloc => "malloc",
        }
    }

    /// Whether this error is the fault's.
    fn gives(self, error: &DbError) -> bool {
        let code = error.code().code();
        match self {
            // Where the extension itself has called PostgreSQL, the code is lost on the way: pgrx knows PostgreSQL's
            // own only.
            Fault::Error => code == "FT001" || code == "XX000",
            Fault::Cancel => code == "57014",
            Fault::Terminate => code == "57P01",
            // A setting whose value cannot be kept is one that PostgreSQL 15 calls invalid.
            Fault::Malloc => {
                code == "53200"
                    || error.message().contains("out of memory")
                    || (code == "22023" && error.message().starts_with("invalid value for parameter"))
            }
        }
    }
}

/// The shop on this server, with all that the programs need.
pub async fn stage<'c>(cluster: &'c Cluster, name: &str) -> Database<'c> {
    let db = cluster.database(name).await;
    db.admin().await.run(&format!("select tenant.create('{A}'), tenant.create('{B}')")).await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "create role {0} login in role tenant_user; grant tenant_system to {1}; grant tenant_user, tenant_admin to {2};
         select tenant.bind_role('{0}', '{A}')",
        bound(&db),
        db.roles.bystander,
        db.roles.owner
    ))
    .await;
    let owner = db.owner().await;
    owner
        .run(&format!(
            "create table orders (tenant_id uuid not null, id int primary key, note text);
             insert into orders select case when n < 4 then '{A}' else '{B}' end::uuid, n, 'note ' || n from generate_series(1, 5) n;
             grant all on orders to public; select tenant.protect('orders'); {REST}"
        ))
        .await;
    for tenant in [A, B] {
        db.app()
            .await
            .inside(tenant, "insert into parents (id) values (1); insert into children (parent) values (1)")
            .await;
    }
    boss.run(&format!(
        "grant select, update on orders to tenant_system;
         create function fault_arm(text, int) returns void language c as '{0}'; create function fault_left() returns int language c as '{0}'",
        library::hooks()
    ))
    .await;
    db
}

/// A key of this run, and a token that it has signed.
struct Key {
    jwks: String,
    token: String,
}

impl Key {
    fn new() -> Key {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let jwks = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"{x}"}}]}}"#);
        let grant =
            Grant { tenant: A, actor: Some("ann"), role: None, issuer: None, audience: None, expires: 4_000_000_000 };
        let token = Signer::eddsa_pkcs8(Some("ed"), pkcs8.as_ref()).expect("a key").sign(&grant).to_string();
        Key { jwks, token }
    }

    /// The server reads it where it has written it: in its data directory.
    async fn give_to(&self, cluster: &Cluster) {
        let boss = cluster.superuser().await;
        let data = boss.value("show data_directory").await.expect("a directory");
        boss.run(&format!("copy (select '{}') to '{data}/keys.json'", self.jwks)).await;
        boss.run("alter system set pg_tenant.jwks_file = 'keys.json'").await;
        boss.run("select pg_reload_conf()").await;
    }
}

/// Runs each program with the fault at each `step`th point.
pub async fn sweep(cluster: &Cluster, db: &Database<'_>, programs: &[Program], fault: Fault, step: usize) {
    let key = Key::new();
    key.give_to(cluster).await;
    for program in programs {
        let mut reached = 0;
        let mut session = program.session(db).await;
        let mut at = 1;
        loop {
            let what = format!("{fault:?} at point {at} of {}", program.name);
            session.run(&format!("select fault_arm('{}', {at})", fault.name())).await;
            match session.simple_query(&program.sql(&key.token)).await {
                Ok(_) => assert_eq!(program.ends, "", "{what}"),
                Err(error) => {
                    let ends = |error: &DbError| [program.ends, "57P01"].contains(&error.code().code());
                    let known = error.as_db_error().is_none_or(|error| fault.gives(error) || ends(error));
                    assert!(known, "{what}: {}", describe(&error));
                }
            }
            let left = match session.simple_query("rollback; select fault_left()").await {
                Ok(messages) => number(&messages),
                Err(_) => Some(0),
            };
            // What is looked up once a session is looked up by every other run.
            if !is_disarmed(&session).await || reached % 2 == 1 {
                session = program.session(db).await;
            }
            program.must_hold(&session, &what).await;
            match left {
                Some(0) => reached += 1,
                _ => break,
            }
            // Data definition has very many, most of them PostgreSQL's own.
            at += if at < 150 { step } else { step * 11 };
        }
        assert!(reached > 1, "{fault:?} reaches {reached} points of {}", program.name);
        println!("{fault:?} in {}: {reached} points", program.name);
    }
    let log = cluster.log();
    let crashed = log.lines().find(|line| line.contains("was terminated by signal") || line.contains("PANIC"));
    assert_eq!(crashed, None, "the server crashed");
}

fn number(messages: &[tokio_postgres::SimpleQueryMessage]) -> Option<i64> {
    messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    })
}

/// Ends the transaction, and the fault that is still to come; false where the connection is gone. The fault may come
/// now.
async fn is_disarmed(session: &Session) -> bool {
    for _ in 0..3 {
        if session.simple_query("rollback; select fault_arm('none', 0)").await.is_ok() {
            return session.simple_query("begin; rollback").await.is_ok();
        }
    }
    false
}
