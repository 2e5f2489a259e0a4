//! The error of an address that cannot be read does not show the password in it.

use super::pgtenant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_address() {
    for address in [
        "postgres://app:hunter2@db:port/shop",
        "postgres://app:hunter2@db/shop?sslmod=require",
        "host=db password=hunter2 prot=5432",
        "password='hunter2",
    ] {
        for command in [&["leak-probe", address][..], &["doctor", address], &["harden", address, "orders"]] {
            let (status, said) = pgtenant(command);
            assert_eq!(status, Some(2), "{command:?}: {said}");
            assert!(said.contains("neither a postgres:// URL nor") && !said.contains("hunter2"), "{said}");
        }
    }
}
