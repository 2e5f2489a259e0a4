//! Work that is run: with a transaction that it is lent, and without a panic.

use std::any::Any;

use super::failure::WorkError;
use super::lent::{Home, Lent};

/// Lends the transaction to the work, and gives it back with the result.
pub(crate) async fn in_tx<T, R, Fut>(tx: T, work: impl FnOnce(Lent<T>) -> Fut) -> Result<(R, T), WorkError>
where
    Fut: Future<Output = Result<R, WorkError>>,
{
    let home = Home::new();
    let result = work(home.lend(tx)).await;
    let tx = home.take();
    let result = result?;
    let kept = || WorkError::new("the transaction was kept beyond the end of the work").give_up();
    Ok((result, tx.ok_or_else(kept)?))
}

/// What a panic of `what` has said.
pub(crate) fn panicked(what: &str, panic: &(dyn Any + Send)) -> WorkError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    WorkError::new(format!("{what} panicked: {}", text.as_deref().unwrap_or("with no text")))
}

/// The machine's name, for that of a worker.
pub(crate) fn host() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.map(|name| name.trim().chars().filter(|c| c.is_ascii_graphic()).take(100).collect::<String>());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "worker".to_owned())
}
