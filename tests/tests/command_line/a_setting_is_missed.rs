//! libpq's ways to say where the database is hold here too: variables, the service file, the password file.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_environment_a_service_or_a_password_file() {
    let db = pg_tenant_tests::database("from_environment").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let dir = std::env::temp_dir().join(format!("{}_{}", db.name, std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let (service, passfile) = (dir.join("service.conf"), dir.join("pass"));
    let (port, user) = (db.cluster().port().to_string(), &db.roles.admin);
    std::fs::write(&service, format!("[shop]\nhost=127.0.0.1\nport={port}\ndbname={}\nuser={user}\n", db.name))
        .expect("write");
    std::fs::write(&passfile, format!("127.0.0.1:{port}:*:{user}:secret\n")).expect("write");
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    let run = |environment: &[(&str, &str)], args: &[&str]| {
        let mut command = Command::new(super::program());
        for name in
            ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE", "PGTENANT_URL", "PGTENANT_DB", "PGTENANT_CONFIG"]
        {
            command.env_remove(name);
        }
        command.args(["tenant", "list", "--json"]).args(args).envs(environment.iter().copied());
        let out = tokio::task::block_in_place(|| command.output().expect("run pgtenant"));
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
    };
    let file = service.to_str().expect("a path");
    let pass = passfile.to_str().expect("a path");
    let url = db.url(user);
    let variables = [("PGHOST", "127.0.0.1"), ("PGPORT", &*port), ("PGUSER", user), ("PGDATABASE", &*db.name)];
    for (environment, args) in [
        (&variables[..], &[][..]),
        (&[("PGSERVICEFILE", file), ("PGSERVICE", "shop")], &[]),
        (&[("PGSERVICEFILE", file)], &["--url", "service=shop"]),
        (&[("PGTENANT_URL", &*url)], &[]),
        (&[("PGSERVICEFILE", file), ("PGSERVICE", "shop"), ("PGPASSFILE", pass)], &[]),
        (&[("PGSSLMODE", "disable")], &["--url", &url]),
        (&[("PGHOST", "none.invalid")], &["--url", &url]),
    ] {
        let (status, said) = run(environment, args);
        assert_eq!(status, Some(0), "{environment:?} {args:?}: {said}");
        assert!(said.contains("\"acme\""), "{said}");
    }
    let config = dir.join("config.toml");
    std::fs::write(
        &config,
        format!("url = \"service=shop\"\n[databases]\nours = \"{url}\"\nother = \"service=none\"\n"),
    )
    .expect("write");
    let config = config.to_str().expect("a path");
    for (args, status) in [
        (&["--config", config][..], 0),
        (&["--config", config, "--db", "ours"], 0),
        (&["--config", config, "--db", "nobodys"], 2),
        (&["--config", "/none/such.toml"], 2),
        (&["--config", config, "--db", "ours", "--url", &url], 2),
    ] {
        let (exit, said) = run(&[("PGSERVICEFILE", file)], args);
        assert_eq!(exit, Some(status), "{args:?}: {said}");
    }
    let (status, said) = run(&[("PGSERVICEFILE", file)], &["--url", "service=none"]);
    assert!(status == Some(2) && said.contains("none"), "{said}");
    let (status, said) = run(&[], &["--url", &format!("{url}?sslmode=require")]);
    assert!(status == Some(2) && said.to_lowercase().contains("tls"), "a server without TLS is refused: {said}");
    std::fs::remove_dir_all(dir).expect("delete it");
}
