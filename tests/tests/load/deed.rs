//! What a task does next: the shapes of both drivers' public calls, with the keys it writes.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use pg_tenant_client::Error;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::ledger::Key;

pub const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// A single statement.
    Once,
    /// begin, two writes, commit.
    Commit,
    /// begin, a write, a write with the commit.
    LastWithCommit,
    /// Two writes that travel together.
    Pipeline,
    /// A closure, with savepoints that are kept and undone.
    Run,
    /// Half a stream of rows, then a write.
    Stream,
    /// In the system context.
    System,
    /// A closure that returns an error.
    RunFails,
    /// begin, a write, rollback.
    Rollback,
    /// begin, a write, dropped.
    Drop,
    /// A failed statement, which the commit must report.
    FailedCommit,
    /// A statement that takes its time.
    Sleep,
    /// A session that the next borrower must not get.
    Dirt,
}

impl Shape {
    const ALL: [(u32, Shape); 13] = [
        (6, Shape::Once),
        (6, Shape::Commit),
        (3, Shape::LastWithCommit),
        (3, Shape::Pipeline),
        (4, Shape::Run),
        (3, Shape::Stream),
        (3, Shape::System),
        (2, Shape::RunFails),
        (2, Shape::Rollback),
        (2, Shape::Drop),
        (2, Shape::FailedCommit),
        (1, Shape::Sleep),
        (1, Shape::Dirt),
    ];

    fn random(rng: &mut StdRng) -> Shape {
        let mut at = rng.random_range(0..Shape::ALL.iter().map(|(weight, _)| weight).sum());
        for (weight, shape) in Shape::ALL {
            if at < weight {
                return shape;
            }
            at -= weight;
        }
        Shape::Once
    }

    /// Whether its writes are there once it says Ok.
    fn keeps(self) -> bool {
        use Shape::{Dirt, Drop, FailedCommit, Rollback, RunFails, Sleep};
        !matches!(self, RunFails | Rollback | Drop | FailedCommit | Sleep | Dirt)
    }
}

/// One of them. `keys` are there if it commits, unless it undoes all; `undone` never is.
#[derive(Debug)]
pub struct Deed {
    pub shape: Shape,
    pub tenant: &'static str,
    pub keys: [Key; 2],
    pub undone: Key,
    committing: AtomicBool,
}

impl Deed {
    pub fn random(rng: &mut StdRng, mut key: impl FnMut() -> Key) -> Deed {
        let (shape, tenant) = (Shape::random(rng), TENANTS[rng.random_range(0..TENANTS.len())]);
        Deed { shape, tenant, keys: [key(), key()], undone: key(), committing: AtomicBool::new(false) }
    }

    /// One of so many ways to do it.
    pub fn variant(&self, ways: Key) -> Key {
        self.keys[0] / 3 % ways
    }

    /// From here on the outcome may be unknown.
    pub fn commits(&self) {
        self.committing.store(true, Ordering::SeqCst);
    }

    pub fn may_have_committed(&self) -> bool {
        self.shape.keeps() && self.committing.load(Ordering::SeqCst)
    }

    /// The keys that must be there once it says Ok.
    pub fn kept(&self) -> &[Key] {
        match self.shape {
            shape if !shape.keeps() => &[],
            Shape::Once | Shape::Stream | Shape::System => &self.keys[..1],
            _ => &self.keys,
        }
    }
}

/// A pool, and how it does each deed.
pub trait Driver: Send + Sync {
    /// Ok if it went as its shape says: of one that undoes, too.
    fn perform<'a>(&'a self, deed: &'a Deed) -> BoxFuture<'a, Result<(), Error>>;

    /// Takes every slot at once and says what each connection is inside of, of a tenant's transaction and outside.
    fn every_slot(&self) -> BoxFuture<'_, Result<Vec<String>, Error>>;
}

/// The statements of both.
pub const INSERT: &str = "insert into marks (key) values ($1)";
pub const SYSTEM_INSERT: &str = "insert into marks (tenant_id, key) values ($1, $2)";
/// For calls that want a row.
pub const RETURNING: &str = "insert into marks (key) values ($1) returning key";
pub const SYSTEM_RETURNING: &str = "insert into marks (tenant_id, key) values ($1, $2) returning key";
pub const TENANT: &str = "select tenant.current_id()";
pub const MANY: &str = "select generate_series(1, 3000)";
/// Where a connection is when nobody is in it.
pub const NOWHERE: &str = "select format('id=%s role=%s', current_setting('pg_tenant.id'), current_setting('role'))";

/// A call began in another tenant than it asked for.
pub fn assert_in(deed: &Deed, found: Option<&str>) {
    assert_eq!(found, Some(deed.tenant), "{deed:?} began elsewhere");
}
