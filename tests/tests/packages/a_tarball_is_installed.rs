//! The tarball's script copies its files to where a `pg_config` says, and to no server of another major.

use std::process::Command;

use pg_tenant_tests::{Install, Options, workshop};

use crate::elsewhere::{Elsewhere, made_by, succeed};
use crate::smoke;

#[tokio::test]
async fn a_server_finds_it() {
    let Some(elsewhere) = Elsewhere::new("tarball") else { return };
    let tarball = made_by("tarball");
    let name = tarball.file_name().expect("a file").to_string_lossy().replace(".tar.gz", "");
    succeed(Command::new("tar").arg("-C").arg(&elsewhere.root).arg("-xzf").arg(&tarball));
    let script = elsewhere.root.join(name).join("install.sh");
    succeed(Command::new(&script).arg(elsewhere.pg_config()));
    smoke::it_works(Options::default().on(elsewhere.install())).await;

    let other = workshop("elsewhere").join(format!("other-{}", Install::current().major));
    std::fs::write(&other, "#!/bin/sh\necho PostgreSQL 14.1\n").expect("write a script");
    succeed(Command::new("chmod").arg("755").arg(&other));
    let out = Command::new(&script).arg(&other).output().expect("run install.sh");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("is of PostgreSQL 14.1"), "{said}");
}
