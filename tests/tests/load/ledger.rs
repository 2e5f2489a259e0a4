//! What must have become of each write.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use pg_tenant_client::Error;
use pg_tenant_tests::Session;

use crate::deed::{Deed, Shape};

pub type Key = i64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// The commit was reported: exactly once.
    Once,
    /// An error that is none of a closed connection, or a call dropped before it committed.
    Never,
    /// The connection was lost, or the call dropped, while it committed.
    Unknown,
}

#[derive(Default)]
pub struct Ledger {
    next: AtomicI64,
    fates: Mutex<HashMap<Key, (&'static str, Fate)>>,
    outcomes: Mutex<BTreeMap<(Shape, String), usize>>,
}

impl Ledger {
    pub fn key(&self) -> Key {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes down how a deed ended; `None` is one that was dropped.
    pub fn enter(&self, deed: &Deed, ended: Option<Result<(), Error>>) {
        let (outcome, fate) = match &ended {
            Some(Ok(())) => ("done", Fate::Once),
            Some(Err(error)) if error.is_closed() && deed.may_have_committed() => ("closed in commit", Fate::Unknown),
            Some(Err(error)) if error.is_closed() => ("closed", Fate::Never),
            Some(Err(error)) => (error.message(), Fate::Never),
            None if deed.may_have_committed() => ("dropped in commit", Fate::Unknown),
            None => ("dropped", Fate::Never),
        };
        *self.outcomes.lock().expect("outcomes").entry((deed.shape, outcome.to_owned())).or_default() += 1;
        let mut fates = self.fates.lock().expect("fates");
        for key in deed.keys.iter().chain([&deed.undone]) {
            let fate = if deed.kept().contains(key) { fate } else { Fate::Never };
            fates.insert(*key, (deed.tenant, fate));
        }
    }

    /// Compares with what is there, asked around the client. What differs, in words.
    pub async fn differs(&self, superuser: &Session) -> Vec<String> {
        let mut there = HashMap::new();
        for row in superuser.rows("select key, tenant_id, count(*) from marks group by key, tenant_id").await {
            let [Some(key), Some(tenant), Some(count)] = &row[..] else { continue };
            let key: Key = key.parse().expect("a key");
            there.entry(key).or_insert_with(Vec::new).push((tenant.clone(), count.clone()));
        }
        let mut differences = Vec::new();
        for (key, (tenant, fate)) in &*self.fates.lock().expect("fates") {
            let found = there.remove(key).unwrap_or_default();
            let once = matches!(&found[..], [(of, count)] if of == tenant && count == "1");
            let right = match fate {
                Fate::Once => once,
                Fate::Never => found.is_empty(),
                Fate::Unknown => once || found.is_empty(),
            };
            if !right {
                differences.push(format!("key {key} of {tenant} was to be there {fate:?}, and is {found:?}"));
            }
        }
        differences.extend(there.into_iter().map(|(key, found)| format!("nobody wrote key {key}: {found:?}")));
        differences
    }

    /// How often each shape ended in which way.
    pub fn outcomes(&self) -> BTreeMap<(Shape, String), usize> {
        self.outcomes.lock().expect("outcomes").clone()
    }

    pub fn how_many(&self, outcome: &str) -> usize {
        self.outcomes().iter().filter(|((_, found), _)| found.starts_with(outcome)).map(|(_, count)| count).sum()
    }
}
