//! The processor's time that a backend has had: what it costs, whatever else runs on the machine.

use std::fs;

use anyhow::Context;
use pg_tenant_tests::Session;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// Where Linux counts it.
pub(crate) struct Processor {
    schedstat: String,
    pid: Pid,
}

impl Processor {
    /// That of this session's backend.
    pub(crate) async fn of(session: &Session) -> anyhow::Result<Processor> {
        let pid = session.value("select pg_backend_pid()").await.context("a backend")?;
        let id = Pid::from_raw(pid.parse()?).context("a process")?;
        Ok(Processor { schedstat: format!("/proc/{pid}/schedstat"), pid: id })
    }

    /// Keeps the backend on the last processor that this process may use: backends on different ones differ by more than
    /// a statement's guards cost.
    ///
    /// # Errors
    /// Where that is not allowed.
    pub(crate) fn keep(&self) -> anyhow::Result<()> {
        let ours = sched_getaffinity(None)?;
        let last = (0..CpuSet::MAX_CPU).rfind(|cpu| ours.is_set(*cpu)).context("no processor")?;
        let mut one = CpuSet::new();
        one.set(last);
        Ok(sched_setaffinity(Some(self.pid), &one)?)
    }

    /// Seconds until now.
    pub(crate) fn used(&self) -> anyhow::Result<f64> {
        nanoseconds(&fs::read_to_string(&self.schedstat)?).map(|nanoseconds| nanoseconds as f64 / 1e9)
    }
}

/// The first of its numbers: time on a processor, time waiting for one, time slices.
fn nanoseconds(schedstat: &str) -> anyhow::Result<u64> {
    Ok(schedstat.split_whitespace().next().context("an empty schedstat")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn the_first_number_is_the_time_on_a_processor() {
        assert_eq!(nanoseconds("2500000 40 7\n").unwrap(), 2_500_000);
        assert!(nanoseconds("").is_err());
    }
}
