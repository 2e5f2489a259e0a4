//! The program, running; tenants whose names are an attacker's.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use pg_tenant_tests::{Database, database};
use reqwest::{Method, Response, StatusCode, header, redirect};

/// What a browser would run, in every place that takes a text.
pub const SCRIPT: &str = "<script>document.title='run'</script>\"'><img src=x onerror=alert(1)>";

/// What stands in payloads and details alone.
pub const PAYLOAD: &str = "payload-4711";

pub const PAGES: [(&str, &str); 6] = [
    ("/", "Load"),
    ("/tenants", "Tenants"),
    ("/tenant?id=acme", "Tenant acme"),
    ("/findings", "Findings"),
    ("/jobs", "Jobs"),
    ("/journal", "Journal"),
];

/// `pgtenant serve`, until it is dropped.
pub struct Served {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    /// `http://127.0.0.1:<port>`.
    pub base: String,
    pub http: reqwest::Client,
}

/// What is read, and what the browser keeps.
pub struct Page {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub body: String,
}

pub fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--locked", "-p", "pg-tenant-cli"]).status();
        assert!(built.expect("run cargo").success(), "pgtenant does not build");
        let own = std::env::current_exe().expect("a test has a file");
        own.ancestors().nth(3).expect("below target").join("debug/pgtenant")
    })
}

/// Runs it to its end.
pub fn pgtenant(args: &[&str]) -> Output {
    tokio::task::block_in_place(|| Command::new(program()).args(args).env_remove("COLUMNS").output().expect("it runs"))
}

impl Served {
    /// With these options, on a port that is free.
    pub fn start(url: &str, options: &[&str]) -> Served {
        tokio::task::block_in_place(|| {
            let mut command = Command::new(program());
            command.args(["serve", url, "--listen", "127.0.0.1:0"]).args(options).stdout(Stdio::piped());
            let mut child = command.spawn().expect("it starts");
            let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
            let mut line = String::new();
            stdout.read_line(&mut line).expect("it says where it is");
            let base = line.trim().trim_end_matches('/').rsplit_once(' ').expect(&line).1.to_owned();
            let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
            Served { child, _stdout: stdout, base, http }
        })
    }

    /// What it says where it does not start, and its exit status.
    pub fn refusal(options: &[&str]) -> (Option<i32>, String) {
        let args: Vec<&str> =
            ["serve", "postgres://nobody@127.0.0.1:1/none"].into_iter().chain(options.iter().copied()).collect();
        let out = pgtenant(&args);
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Page::of(request.send().await.expect("an answer")).await
    }

    /// Sends a form as a browser that has opened a page does.
    pub async fn post(&self, path: &str, opened: &Page, fields: &str) -> Page {
        let body = format!("form={}&{fields}", opened.form_token());
        let headers = [("cookie", &*opened.cookie()), ("origin", &*self.base), FORM];
        self.send(Method::POST, path, &headers, &body).await
    }
}

pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

impl Page {
    async fn of(response: Response) -> Page {
        let (status, headers) = (response.status(), response.headers().clone());
        Page { status, headers, body: response.text().await.expect("a text") }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The cookie that it sets.
    pub fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }

    /// What makes its forms its own.
    pub fn form_token(&self) -> String {
        let (_, after) = self.body.split_once("name=\"form\" value=\"").expect("a form");
        after.split('"').next().unwrap_or_default().to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tenant `acme`, called a script, with members, a dead job, settings and journal, all of them an attacker's words; and
/// `globex`.
pub async fn world(name: &str) -> Database<'static> {
    let db = database(&format!("serve_{name}")).await;
    let script = SCRIPT.replace('\'', "''");
    db.superuser()
        .await
        .run(&format!(
            "select tenant.create('acme', name => '{script}', slug => 'acme-slug'), tenant.create('globex');
             select tenant.declare_setting('greeting');
             select tenant.set_setting('acme', 'greeting', to_jsonb('{script}'::text), '{script}');
             insert into tenant.members (tenant_id, user_id, role) values ('acme', '{script}', '{script}');
             insert into tenant.jobs (tenant_id, kind, lane, priority, state, max_attempts, run_at, finished_at, worker, payload, last_error)
                values ('acme', 'mail', 'default', 0, 'dead', 1, now(), now(), '{script}', '\"{PAYLOAD}\"', '{PAYLOAD}')"
        ))
        .await;
    db.admin()
        .await
        .run(&format!(
            "insert into tenant.journal (action, object, reason, detail) values ('note', 'acme', '{script}', '\"{PAYLOAD}\"')"
        ))
        .await;
    let app = db.app().await;
    app.run("begin; select tenant.enter('acme'); select 1; commit").await;
    db
}
