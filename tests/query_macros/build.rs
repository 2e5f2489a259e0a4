//! The macros read `DATABASE_URL`, and do not tell cargo.

fn main() {
    println!("cargo:rerun-if-env-changed=DATABASE_URL");
}
