//! The harness itself: it would be of no use if tests ran as superusers, shared databases or left servers behind.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pg_tenant_tests::golden::Goldens;
use pg_tenant_tests::{CONTRIB, Cluster, Install, Options};

/// A server without the extension: these tests say nothing of it.
fn plain() -> &'static Cluster {
    static PLAIN: OnceLock<Cluster> = OnceLock::new();
    PLAIN.get_or_init(|| Cluster::start(Options::without_preload()))
}

#[tokio::test]
async fn server_is_of_another_major() {
    let version = plain().superuser().await.value("show server_version_num").await.expect("a version");
    assert_eq!(version[..2], Install::current().major.to_string());
}

#[tokio::test]
async fn two_tests_share_a_database() {
    let (one, two) = (plain().plain_database("same").await, plain().plain_database("same").await);
    one.owner().await.run("create table t ()").await;
    two.owner().await.run("create table t ()").await;
    two.owner().await.expect_error("42P07", "create table t ()").await;
}

#[tokio::test]
async fn a_role_is_a_superuser_by_accident() {
    let db = plain().plain_database("roles").await;
    let (owner, app, admin) = (db.owner().await, db.app().await, db.admin().await);
    for session in [&owner, &app, &admin, &db.backup().await, &db.bystander().await] {
        let name = session.value("select current_user").await.expect("a name");
        assert!(name.starts_with("regress_"), "{name}");
        assert_eq!(session.value("show is_superuser").await.as_deref(), Some("off"), "{name}");
    }
    owner.run("create table t (n int)").await;
    app.run("insert into t values (1)").await;
    admin.expect_error("42501", "select * from t").await;
}

#[tokio::test]
#[should_panic(expected = "HINT: try harder")]
async fn an_unexpected_error_hides_its_hint() {
    let session = plain().superuser().await;
    let raise = "do $$ begin raise 'no' using errcode = 'AB123', hint = 'try harder'; end $$";
    session.expect_error("AB124", raise).await;
}

#[tokio::test]
#[should_panic(expected = "was not refused")]
async fn success_is_no_error() {
    plain().superuser().await.expect_error("42501", "select 1").await;
}

#[tokio::test]
async fn notices_are_kept() {
    let session = plain().superuser().await;
    session.run("do $$ begin raise warning 'look'; end $$").await;
    assert_eq!(session.notices()[0].message(), "look");
    assert!(session.notices().is_empty());
}

#[tokio::test]
async fn a_crash_loses_what_was_committed() {
    let cluster = Cluster::start(Options::without_preload().set("synchronous_commit", "on"));
    let db = cluster.plain_database("crash").await;
    db.owner().await.run("create table t as select 1 as n").await;
    cluster.crash();
    cluster.start_again();
    assert_eq!(db.owner().await.value("select n from t").await.as_deref(), Some("1"));
    cluster.stop();
    cluster.start_again();
    assert_eq!(db.owner().await.value("select n from t").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_program_works_on_another_server() {
    let db = plain().plain_database("programs").await;
    db.owner().await.run("create table kept (n int)").await;
    assert!(db.dump("postgres").expect("pg_dump").contains("CREATE TABLE public.kept"));
    assert_eq!(db.psql(&db.roles.app, "select current_database()").expect("psql").trim(), db.name);
    assert!(!db.psql(&db.roles.app, "select 1/0").ok);
    let who = |url: &str| db.program("psql", "nobody").args(["-XAtc", "select current_user", url]).output();
    let out = who(&db.url(&db.roles.app)).expect("run psql");
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), db.roles.app);
}

#[tokio::test]
async fn a_golden_differs_and_nobody_hears() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("golden");
    let _ = std::fs::remove_dir_all(&dir);
    for sub in ["sql", "expected"] {
        std::fs::create_dir_all(dir.join(sub)).expect("create a directory");
    }
    std::fs::write(dir.join("sql/one.sql"), "select 1 as n;\nselect 1/0;\n").expect("write a script");
    let (goldens, db) = (Goldens::new(&dir, 18), plain().plain_database("golden").await);
    let run = |goldens: &Goldens| goldens.run("one", &mut db.program("psql", &db.roles.app));
    let result = run(&goldens);
    assert!(goldens.compare("one", &result).unwrap_err().contains("make goldens"));
    goldens.accept("one", &result);
    assert_eq!(goldens.compare("one", &run(&goldens)), Ok(()));

    std::fs::write(dir.join("sql/one.sql"), "select 2 as n;\nselect 1/0;\n").expect("write a script");
    let diff = goldens.compare("one", &run(&goldens)).unwrap_err();
    assert!(diff.contains("-select 1 as n;\n+select 2 as n;"), "{diff}");
    let older = Goldens::new(&dir, 15);
    older.accept("one", &run(&older));
    assert_eq!(older.compare("one", &run(&older)), Ok(()));
    assert!(goldens.compare("one", &run(&goldens)).is_err(), "a variant of 15 counts for 15 alone");
}

#[tokio::test]
async fn a_killed_test_leaves_its_server() {
    if std::env::var_os("HARNESS_SLEEPS").is_some() {
        // Kept: dropping it would stop the server, before anybody is killed.
        let cluster = Cluster::start(Options::without_preload());
        println!("PORT {}", cluster.port());
        std::thread::sleep(Duration::from_secs(600));
        panic!("nobody has killed this process");
    }
    let this = std::env::current_exe().expect("the path of this test");
    let mut test = Command::new(this);
    test.args(["--exact", "a_killed_test_leaves_its_server", "--nocapture"]).env("HARNESS_SLEEPS", "1");
    let mut child = test.stdout(Stdio::piped()).spawn().expect("run this test again");
    let out = std::io::BufReader::new(child.stdout.take().expect("stdout is piped"));
    let port = std::io::BufRead::lines(out)
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("PORT ")?.1.to_owned()))
        .expect("the port of the child's server");
    let listens = || std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok();
    assert!(listens(), "the child's server runs");
    child.kill().expect("kill the child");
    child.wait().expect("wait for the child");
    let killed = Instant::now();
    while listens() {
        assert!(killed.elapsed() < Duration::from_secs(60), "the server is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Needs the extension, as the others do not.
#[tokio::test]
async fn the_application_is_not_a_tenant_user() {
    let db = pg_tenant_tests::database("members").await;
    let session = db.bystander().await;
    let member = |role: &str, of: &str| format!("select pg_has_role('{role}', '{of}', 'member')::text");
    assert_eq!(session.value(&member(&db.roles.app, "tenant_user")).await.as_deref(), Some("true"));
    assert_eq!(session.value(&member(&db.roles.admin, "tenant_admin")).await.as_deref(), Some("true"));
    for outsider in [&db.roles.bystander, &db.roles.owner, &db.roles.backup] {
        assert_eq!(session.value(&member(outsider, "tenant_user")).await.as_deref(), Some("false"), "{outsider}");
    }
}

/// 15 and 18, which every run tests, have all that tests need; what they would lack would go untested unseen.
#[test]
fn a_module_of_contrib_is_missing_unseen() {
    let install = Install::current();
    for module in CONTRIB {
        let tested = install.major == 15 || install.major == 18;
        assert!(!tested || !install.lacks(module), "install PostgreSQL's contrib modules: {module} is missing");
    }
}

/// Where a server is too old for a test, `Install::is_before` says so; by hand it is easily left out without a word.
#[test]
fn a_test_is_left_out_in_silence() {
    let mut dirs = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))];
    while let Some(dir) = dirs.pop() {
        for path in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                let lines: Vec<&str> = text.lines().map(str::trim).collect();
                for (n, pair) in lines.windows(2).enumerate() {
                    let asks =
                        ["major <", "major ==", "major !=", "server_version_num"].iter().any(|a| pair[0].contains(a));
                    let leaves = pair[1].starts_with("return") || pair[1].starts_with("continue");
                    assert!(!(asks && leaves), "{}:{}: who is skipped says so: is_before", path.display(), n + 1);
                }
            }
        }
    }
}
