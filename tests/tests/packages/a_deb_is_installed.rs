//! dpkg installs the package into a root of its own, where the packages that it depends on are, and nothing else; a
//! server finds it there, and removing it leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pg_tenant_tests::{Install, Options, skipped};

use crate::elsewhere::{Elsewhere, made_by, succeed};
use crate::smoke;

/// A root with a database of packages in which these are installed.
struct Root(PathBuf);

impl Root {
    fn new(path: PathBuf, packages: &[&str]) -> Root {
        let admin = path.join("var/lib/dpkg");
        for made in [admin.join("info"), admin.join("updates")] {
            fs::create_dir_all(made).expect("make dpkg's directories");
        }
        let arch = succeed(Command::new("dpkg").arg("--print-architecture"));
        let entry = |name: &&str| {
            format!(
                "Package: {name}\nStatus: install ok installed\nVersion: 99\nArchitecture: {}\n\
                 Maintainer: nobody\nDescription: stands for itself\n\n",
                arch.trim()
            )
        };
        fs::write(admin.join("status"), packages.iter().map(entry).collect::<String>()).expect("write dpkg's status");
        Root(path)
    }

    /// The ways of a root that no system runs in, for who need not be root.
    fn dpkg(&self) -> Command {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.0.display())).arg("--log=/dev/null");
        dpkg.args(["--force-not-root", "--force-bad-path", "--force-script-chrootless"]);
        dpkg
    }

    fn files_of_ours(&self) -> String {
        succeed(Command::new("find").arg(&self.0).args(["-name", "*pg_tenant*", "-o", "-name", "*pg-tenant*"]))
    }
}

fn lacks_dpkg() -> bool {
    let lacks = ["dpkg", "dpkg-shlibdeps"].iter().any(|tool| Command::new(tool).arg("--version").output().is_err());
    if lacks {
        skipped("dpkg and dpkg-dev are not here");
    }
    lacks
}

#[tokio::test]
async fn a_server_finds_it() {
    let major = Install::current().major;
    let debian =
        Install::current().bindir.ends_with(Path::new("usr/lib/postgresql").join(major.to_string()).join("bin"));
    if lacks_dpkg() {
        return;
    }
    if !(debian || major >= 18) {
        skipped(&format!("this PostgreSQL {major} does not look where Debian's does, and cannot be told to"));
        return;
    }
    let Some(elsewhere) = Elsewhere::new("deb") else { return };
    let at = if debian { elsewhere.root.clone() } else { elsewhere.root.join("debian") };
    let server = format!("postgresql-{major}");
    let root = Root::new(at.clone(), &[&server, "libc6", "libgcc-s1"]);
    let deb = made_by("deb");
    succeed(root.dpkg().arg("-i").arg(&deb));

    let options = Options::without_preload().on(elsewhere.install()).set("shared_preload_libraries", "pg_tenant");
    let options = if debian {
        options
    } else {
        let (share, library) = (at.join("usr/share/postgresql/18"), at.join("usr/lib/postgresql/18/lib"));
        options
            .set("extension_control_path", &format!("{}:$system", share.display()))
            .set("dynamic_library_path", &format!("{}:$libdir", library.display()))
    };
    smoke::it_works(options).await;

    succeed(root.dpkg().arg("--verify").arg(format!("postgresql-{major}-pg-tenant")));
    succeed(root.dpkg().arg("-P").arg(format!("postgresql-{major}-pg-tenant")));
    assert_eq!(root.files_of_ours(), "");
}

#[tokio::test]
async fn it_wants_the_server_that_it_is_for() {
    if lacks_dpkg() {
        return;
    }
    let Some(elsewhere) = Elsewhere::new("deb-alone") else { return };
    let root = Root::new(elsewhere.root.join("debian"), &["postgresql-14", "libc6", "libgcc-s1"]);
    let out = root.dpkg().arg("-i").arg(made_by("deb")).output().expect("run dpkg");
    let said = String::from_utf8_lossy(&out.stderr);
    let wants = format!("depends on postgresql-{}", Install::current().major);
    assert!(!out.status.success() && said.contains(&wants), "{said}");
}
