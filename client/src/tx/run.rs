//! A closure in a transaction, once or again: what `run` does, of both drivers and in both contexts.

/// Commits where the closure returns `Ok`, rolls back where it returns `Err`; watched as one call.
macro_rules! run_once {
    ($builder:expr, $tenant:expr, $work:expr) => {{
        let work = async {
            let mut tx = $builder.begin().await?;
            match $work(&mut tx).await {
                Ok(value) => {
                    tx.commit().await?;
                    Ok(value)
                }
                Err(error) => {
                    // The caller hears what went wrong first; a rollback that fails closes the connection, which rolls
                    // back.
                    let _ = tx.rollback().await;
                    Err(error)
                }
            }
        };
        $crate::observe::Call::of("transaction", $tenant).watch(work).await
    }};
}

/// Runs it again where it lost a conflict. What is run again has certainly not been committed: a statement failed with
/// `40001` or `40P01`, or the commit did. A commit whose answer was lost is not among them.
macro_rules! run_again {
    ($tenant:expr, $retry:expr, $work:expr) => {{
        let mut attempt = 1;
        loop {
            let mut tx = $tenant.begin().await?;
            let (error, conflict) = match $work.clone()(&mut tx).await {
                Ok(value) => {
                    let lost = tx.lost_a_conflict();
                    match tx.commit().await {
                        Ok(()) => return Ok(value),
                        Err(error) => {
                            let conflict = error.is_retryable() || lost && error.kind() == $crate::error::Kind::Failed;
                            (error.into(), conflict)
                        }
                    }
                }
                Err(error) => {
                    let lost = tx.lost_a_conflict();
                    // Before the pause: what it holds, others wait for.
                    let _ = tx.rollback().await;
                    (error, lost)
                }
            };
            if !conflict || !$retry.again(attempt).await {
                return Err(error);
            }
            attempt += 1;
        }
    }};
}

pub(crate) use {run_again, run_once};
