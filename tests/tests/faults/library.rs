//! A server that has the libraries of `tests/faults/` preloaded.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use pg_tenant_tests::{Cluster, Install, Options, workshop};

/// Where the points of `hooks.c` lie.
#[derive(Clone, Copy, Debug)]
pub enum Points {
    /// Within the extension's hooks: they call them.
    Within,
    /// Around the extension's hooks: they are called by them.
    Around,
}

/// A server of its own; the extension is preloaded.
pub fn server(points: Points) -> Cluster {
    let (hooks, malloc) = built();
    let hooks = hooks.display();
    // PL/pgSQL too: a library whose loading was cut short cannot be loaded again in that session.
    let libraries = match points {
        Points::Within => format!("plpgsql, {hooks}, pg_tenant"),
        Points::Around => format!("plpgsql, pg_tenant, {hooks}"),
    };
    let malloc = malloc.to_str().expect("a UTF-8 path");
    Cluster::start(Options::default().set("shared_preload_libraries", &libraries).env("LD_PRELOAD", malloc))
}

/// The library with the points, for the functions in it.
pub fn hooks() -> String {
    built().0.display().to_string()
}

/// The library with the planner that loses conditions.
pub fn planner() -> String {
    compile("planner").display().to_string()
}

/// The libraries, built once for each run of the tests.
fn built() -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| (compile("hooks"), compile("malloc")))
}

fn compile(name: &str) -> PathBuf {
    let install = Install::current();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("faults/{name}.c"));
    let library = workshop("faults").join(format!("{name}-{}.so", install.major));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-I"]).arg(&install.includedir_server);
    let out = compiler.arg("-o").arg(&library).arg(source).output().expect("run cc");
    assert!(out.status.success(), "{compiler:?}\n{}", String::from_utf8_lossy(&out.stderr));
    library
}
