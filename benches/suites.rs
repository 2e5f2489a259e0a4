//! `make bench`: what isolation costs. Names of suites choose among them. Fails where results differ, never on timing.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    pg_tenant_benches::run_all(&only).await
}
