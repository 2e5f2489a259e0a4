//! How far each tenant has written, for the reads that follow.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pg_tenant_core::TenantId;

use crate::wire::lsn::Lsn;

/// How many tenants are remembered one by one. Then all that have written count as one.
const CAPACITY: usize = 65_536;
/// How long a tenant reads from the primary whose commit was sent and its position not told.
const PINNED: Duration = Duration::from_secs(60);

/// What a transaction has written, as far as its commit tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wrote {
    #[default]
    Nothing,
    /// Seen by whoever has come so far.
    Until(Lsn),
    /// Perhaps something, nobody knows how far.
    Unknown,
}

#[derive(Default)]
pub(crate) struct Written(Mutex<Marks>);

#[derive(Default)]
struct Marks {
    tenants: HashMap<TenantId, Mark>,
    /// What was written across tenants, or by tenants that are no longer remembered.
    all: Mark,
    /// The furthest of all.
    highest: Mark,
}

#[derive(Clone, Copy, Default)]
struct Mark {
    lsn: Lsn,
    pinned: Option<Instant>,
}

impl Mark {
    fn note(&mut self, wrote: Wrote) {
        match wrote {
            Wrote::Nothing => {}
            Wrote::Until(lsn) => self.lsn = self.lsn.max(lsn),
            Wrote::Unknown => self.pinned = Some(Instant::now()),
        }
    }

    fn and(self, other: Mark) -> Mark {
        Mark { lsn: self.lsn.max(other.lsn), pinned: self.pinned.max(other.pinned) }
    }

    /// `None`: only the primary will do.
    fn needs(self) -> Option<Lsn> {
        if self.pinned.is_some_and(|since| since.elapsed() < PINNED) { None } else { Some(self.lsn) }
    }
}

impl Written {
    /// A transaction of this tenant, or across all, was committed.
    pub(crate) fn note(&self, tenant: Option<&TenantId>, wrote: Wrote) {
        if wrote == Wrote::Nothing {
            return;
        }
        let marks = &mut *self.marks();
        marks.highest.note(wrote);
        match tenant {
            None => marks.all.note(wrote),
            Some(tenant) => {
                if marks.tenants.len() >= CAPACITY && !marks.tenants.contains_key(tenant) {
                    marks.tenants.clear();
                    marks.all = marks.highest;
                }
                marks.tenants.entry(*tenant).or_default().note(wrote);
            }
        }
    }

    /// How far a server must have come for a read of this tenant; for one of any, where it is not known yet. `None`:
    /// only the primary will do.
    pub(crate) fn needs(&self, tenant: Option<&TenantId>) -> Option<Lsn> {
        let marks = self.marks();
        match tenant {
            None => marks.highest,
            Some(tenant) => marks.tenants.get(tenant).copied().unwrap_or_default().and(marks.all),
        }
        .needs()
    }

    /// Another server may be the primary by now, whose log is another.
    pub(crate) fn forget(&self) {
        *self.marks() = Marks::default();
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_after_its_own_writes() {
        let (written, acme, globex) = (Written::default(), "acme".parse().unwrap(), "globex".parse().unwrap());
        let at = |text: &str| text.parse::<Lsn>().unwrap();
        written.note(Some(&acme), Wrote::Until(at("0/20")));
        written.note(Some(&acme), Wrote::Until(at("0/10")));
        written.note(Some(&acme), Wrote::Nothing);
        assert_eq!(written.needs(Some(&acme)), Some(at("0/20")));
        assert_eq!(written.needs(Some(&globex)), Some(Lsn::default()));
        assert_eq!(written.needs(None), Some(at("0/20")), "whose it is is not known yet");
        written.note(None, Wrote::Until(at("0/18")));
        assert_eq!(written.needs(Some(&globex)), Some(at("0/18")), "what was written across tenants");
        written.note(Some(&globex), Wrote::Unknown);
        assert_eq!((written.needs(Some(&globex)), written.needs(Some(&acme))), (None, Some(at("0/20"))));
    }
}
