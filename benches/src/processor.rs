//! Processors: the time that a backend has had of one, which is what it costs, whatever else runs on the machine; and
//! who runs on which.

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

    /// Keeps the backend on the last processor that this process may use: backends on different ones differ by more
    /// than a statement's guards cost.
    ///
    /// # Errors
    /// Where that is not allowed.
    pub(crate) fn keep(&self) -> anyhow::Result<()> {
        let last = *processors()?.last().context("no processor")?;
        Ok(sched_setaffinity(Some(self.pid), &set(&[last]))?)
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

/// Client and link on the first half of the processors, backends that are yet to come on the other, as on two machines.
/// On a processor that they share, the link hands on a first answer while the backend waits to go on with the second,
/// which no network does. Dropping it lets everybody run everywhere again.
pub(crate) struct Apart {
    postmaster: Pid,
    all: Vec<usize>,
}

impl Apart {
    /// `None` where there is one processor.
    pub(crate) async fn put(session: &Session) -> anyhow::Result<Option<Apart>> {
        let all = processors()?;
        let (client, server) = all.split_at(all.len() / 2);
        if client.is_empty() {
            return Ok(None);
        }
        let backend = session.value("select pg_backend_pid()").await.context("a backend")?;
        let postmaster = parent(&fs::read_to_string(format!("/proc/{backend}/stat"))?)?;
        sched_setaffinity(Some(postmaster), &set(server))?;
        keep_ourselves(&set(client))?;
        Ok(Some(Apart { postmaster, all }))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let all = set(&self.all);
        let _ = (sched_setaffinity(Some(self.postmaster), &all), keep_ourselves(&all));
    }
}

/// Every thread of this process, and those that they will start.
fn keep_ourselves(on: &CpuSet) -> anyhow::Result<()> {
    for thread in fs::read_dir("/proc/self/task")? {
        let name = thread?.file_name();
        let id = name.to_str().and_then(|name| Pid::from_raw(name.parse().ok()?)).context("a thread")?;
        match sched_setaffinity(Some(id), on) {
            Err(rustix::io::Errno::SRCH) => {} // it has ended meanwhile
            done => done?,
        }
    }
    Ok(())
}

/// Those that this process may use.
fn processors() -> anyhow::Result<Vec<usize>> {
    let ours = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| ours.is_set(*cpu)).collect())
}

fn set(processors: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    processors.iter().for_each(|cpu| set.set(*cpu));
    set
}

/// The second number behind the name, which may hold anything.
fn parent(stat: &str) -> anyhow::Result<Pid> {
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)).context("a parent")?;
    Pid::from_raw(parent.parse()?).context("a process")
}

#[cfg(test)]
mod tests {
    use super::{nanoseconds, parent};

    #[test]
    fn the_first_number_is_the_time_on_a_processor() {
        assert_eq!(nanoseconds("2500000 40 7\n").unwrap(), 2_500_000);
        assert!(nanoseconds("").is_err());
    }

    #[test]
    fn a_name_may_look_like_a_status() {
        assert_eq!(parent("7 (a) S 1 (b) S 42 3 4").unwrap().as_raw_nonzero().get(), 42);
        assert!(parent("7 (a").is_err());
    }
}
