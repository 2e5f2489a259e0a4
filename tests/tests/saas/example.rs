//! The example as a program of its own, on a database with two tenants whose data overlap.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use pg_tenant_client::Signer;
use pg_tenant_tests::{Database, Session};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../client/examples/axum_saas/schema.sql");
/// What the payment provider signs with.
pub const STRIPE: &str = "whsec_of_the_example";
const SECRET: &[u8] = b"a secret of the example, 32 bytes.";

pub struct Example {
    _db: Database<'static>,
    pub superuser: Session,
    pub base: String,
    /// Where Prometheus would ask.
    pub metrics: String,
    http: Client,
    program: Child,
    said: BufReader<ChildStdout>,
}

/// `acme` and `globex` have members of the same address, with keys of their own; `asleep` is suspended.
const SEED: &str =
    "select tenant.create('acme', slug => 'acme-inc', plan => 'gold'), tenant.create('globex', slug => 'globex'),
        tenant.create('asleep', slug => 'asleep');
    select tenant.suspend('asleep');
    select tenant.add_member('acme', 'bob@example.com', 'member');
    select tenant.add_member(id, 'ann@example.com', 'owner') from unnest('{acme,globex,asleep}'::text[]) id;
    insert into keys (tenant_id, email, key_hash) values
        ('acme', 'ann@example.com', sha256('key of acme''s ann')),
        ('acme', 'bob@example.com', sha256('key of acme''s bob')),
        ('globex', 'ann@example.com', sha256('key of globex''s ann')),
        ('asleep', 'ann@example.com', sha256('key of asleep''s ann'));
    insert into projects (tenant_id, name) values ('asleep', 'Sleep')";

impl Example {
    pub async fn start(name: &str) -> Example {
        let db = pg_tenant_tests::database(name).await;
        let superuser = db.superuser().await;
        db.protector().await.run(SCHEMA).await;
        superuser.run(SEED).await;
        let operator = format!("regress_{}_operator", db.name);
        let provisioning = format!("regress_{}_provisioning", db.name);
        let reporting = format!("regress_{}_reporting", db.name);
        let worker = format!("regress_{}_worker", db.name);
        let billing = format!("regress_{}_billing", db.name);
        superuser
            .run(&format!(
                "create role {operator} login in role tenant_user, tenant_system;
                 create role {provisioning} login in role tenant_user, tenant_admin;
                 create role {worker} login in role tenant_user, tenant_worker;
                 create role {reporting} login in role tenant_reader;
                 create role {billing} login in role tenant_billing;
                 select tenant.define_plan('gold'), tenant.link_billing_customer('globex', 'stripe', 'cus_globex')"
            ))
            .await;

        let (port, name) = (db.cluster().port(), &db.name);
        let config = |user: &str| format!("host=127.0.0.1 port={port} user={user} dbname={name}");
        // With all features, as the unit tests have built it.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["run", "--quiet", "--locked", "-p", "pg-tenant-client", "--all-features"]);
        cargo.args(["--example", "axum_saas"]).stdout(Stdio::piped());
        cargo.env("SAAS_DATABASE", config(&db.roles.app)).env("SAAS_OPERATOR_DATABASE", config(&operator));
        cargo.env("SAAS_PROVISIONING_DATABASE", config(&provisioning));
        cargo.env("SAAS_REPORTS_DATABASE", config(&reporting)).env("SAAS_WORKER_DATABASE", config(&worker));
        let keys = std::env::temp_dir().join(format!("{name}_{}_keys", std::process::id()));
        cargo.env("SAAS_KEYS", &keys).env("SAAS_BILLING_DATABASE", config(&billing)).env("SAAS_STRIPE_SECRET", STRIPE);
        cargo.env("SAAS_SECRET", String::from_utf8_lossy(SECRET).as_ref());
        let mut program = tokio::task::block_in_place(|| cargo.spawn()).expect("run cargo");
        let mut line = String::new();
        let mut said = BufReader::new(program.stdout.take().expect("its output"));
        tokio::task::block_in_place(|| said.read_line(&mut line)).expect("an address");
        let addresses = line.trim().split_once(" metrics ");
        let (base, metrics) = addresses.unwrap_or_else(|| panic!("the example does not start: {line:?}"));
        let (base, metrics) = (base.to_owned(), metrics.to_owned());
        Example { _db: db, superuser, base, metrics, http: Client::new(), program, said }
    }

    /// Tells it to stop, as an orchestrator does.
    pub fn terminate(&self) {
        let pid = self.program.id().to_string();
        // Its own program, since `cargo run` becomes it.
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("run kill").success());
    }

    /// How it ended, and what it said until then.
    pub fn ended(&mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        tokio::task::block_in_place(|| self.said.read_to_string(&mut rest)).expect("its output");
        (self.program.wait().expect("its end"), rest)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn sign_in(&self, tenant: &str, email: &str, key: &str) -> (StatusCode, Value) {
        let sign_in = self.request(Method::POST, "/sign-in");
        answer(sign_in.json(&json!({"tenant": tenant, "email": email, "key": key}))).await
    }

    /// The token of a member.
    pub async fn token(&self, tenant: &str, email: &str, key: &str) -> String {
        let (status, said) = self.sign_in(tenant, email, key).await;
        assert_eq!(status, StatusCode::OK, "{said}");
        said["token"].as_str().expect("a token").to_owned()
    }

    /// Of acme's ann and globex's ann.
    pub async fn tokens(&self) -> [String; 2] {
        let email = "ann@example.com";
        let acme = self.token("acme-inc", email, "key of acme's ann").await;
        [acme, self.token("globex", email, "key of globex's ann").await]
    }

    /// Any claims, signed as the example signs.
    pub fn signed(&self, claims: Value) -> String {
        Signer::hs256(Some("saas"), SECRET).expect("a key").sign_claims(&claims.to_string()).to_string()
    }

    pub async fn call(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = self.request(method, path).bearer_auth(token);
        answer(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let body = response.text().await.expect("a body");
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}
