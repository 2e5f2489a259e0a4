//! The same programs in both worlds, several tenants at once, beside strangers who work on different things.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{join, join_all, join3};
use pg_tenant_tests::Session;

use tokio::time::{Duration, sleep};

use crate::compare::{Transcript, difference, perform};
use crate::generator::{Generator, Statement};
use crate::lane::{Lane, STRANGERS};
use crate::shrink::shrunk;
use crate::vocabulary::Family;
use crate::world::{World, Worlds};

/// What was run, by one lane or by all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub statements: usize,
    pub succeeded: usize,
    pub rows: usize,
    /// Programs that PostgreSQL could not plan, and that were not compared: see [`unplanned`](crate::unplanned).
    pub unplanned: usize,
}

/// Where the worlds were told apart: after how many statements of the lane, and by what.
#[derive(Debug)]
pub struct Difference {
    pub after: usize,
    pub what: String,
}

/// Runs at least so many statements in each lane, until there is a difference.
pub async fn run(
    worlds: &Worlds,
    lanes: &[Lane],
    families: &'static [Family],
    seed: u64,
    statements: usize,
) -> Vec<Result<Tally, Difference>> {
    let (major, over) = (major(worlds).await, AtomicBool::new(false));
    let watched = async {
        let watched = lanes.iter().zip(seed..).map(|(lane, seed)| {
            let mut generator = Generator::new(seed, *lane, major, families);
            generator.told = worlds.told.clone();
            watch(worlds, *lane, generator, seed, (statements, &over))
        });
        let outcome = join_all(watched).await;
        over.store(true, Ordering::Relaxed);
        outcome
    };
    let stranger = |world, seed| work_beside(worlds, world, seed, major, &over);
    let beside = (stranger(World::Crowded, seed ^ 0xc0ffee), stranger(World::Sparse, seed ^ 0xbeef));
    join3(watched, beside.0, beside.1).await.0
}

/// The first difference ends the work of all.
async fn watch(
    worlds: &Worlds,
    lane: Lane,
    mut generator: Generator,
    seed: u64,
    (enough, over): (usize, &AtomicBool),
) -> Result<Tally, Difference> {
    let (one, two) = join(worlds.enter(World::Crowded, &lane), worlds.enter(World::Sparse, &lane)).await;
    let mut tally = Tally::default();
    while tally.statements < enough && !over.load(Ordering::Relaxed) {
        let program = generator.transaction();
        let (upto, end) = held_back(&program);
        let (mut crowded, mut sparse) = join(perform(&one, upto), perform(&two, upto)).await;
        if !crowded.is_unplanned() && !sparse.is_unplanned() {
            let (first, second) = join(perform(&one, end), perform(&two, end)).await;
            (crowded, sparse) = (crowded.then(first), sparse.then(second));
        }
        tally.count(&program, &crowded);
        if crowded.is_unplanned() || sparse.is_unplanned() {
            let undo = [Statement::frame("rollback")];
            join(perform(&one, &undo), perform(&two, &undo)).await;
            tally.unplanned += 1;
            continue;
        }
        if let Some(what) = difference(&program, lane.tenant, &crowded, &sparse) {
            over.store(true, Ordering::Relaxed);
            let what = shrunk(&program, lane.tenant, (&one, &two)).await.unwrap_or(what);
            let what = format!("seed {seed}, {lane:?}, after {} statements\n{what}", tally.statements);
            return Err(Difference { after: tally.statements, what });
        }
    }
    match join(rows_of(worlds, World::Crowded, lane), rows_of(worlds, World::Sparse, lane)).await {
        (one, two) if one == two => Ok(tally),
        (one, two) => {
            let lone: Vec<_> =
                one.iter().filter(|r| !two.contains(r)).chain(two.iter().filter(|r| !one.contains(r))).collect();
            Err(Difference {
                after: tally.statements,
                what: format!("seed {seed}, {lane:?}: other rows at the end: {lone:?}"),
            })
        }
    }
}

/// A program, and its commit with what follows: nothing that only one world can plan is kept in the other.
fn held_back(program: &[Statement]) -> (&[Statement], &[Statement]) {
    let commit = program.iter().rposition(|statement| statement.frame && statement.sql == "commit");
    program.split_at(commit.unwrap_or(program.len()))
}

/// They are there to be in the way, not to take the server's time.
const BREATH: Duration = Duration::from_millis(50);

/// A tenant that nobody watches, with programs of its own in each world.
async fn work_beside(worlds: &Worlds, world: World, seed: u64, major: u32, over: &AtomicBool) {
    let session = worlds.enter(world, &STRANGERS).await;
    let mut generator = Generator::new(seed, STRANGERS, major, &[]);
    while !over.load(Ordering::Relaxed) {
        perform(&session, &generator.transaction()).await;
        sleep(BREATH).await;
    }
}

/// All that a tenant has, read around the policies.
async fn rows_of(worlds: &Worlds, world: World, lane: Lane) -> Vec<Vec<Option<String>>> {
    let own = if lane.uuid { ("files", "owner_id") } else { ("ledger", "company") };
    let tables = "customers orders payments events visits machines facts audit vaults ranged hashed heirs"
        .split(' ')
        .map(|t| (t, "tenant_id"));
    let of = |(table, column)| {
        format!("select '{table}', t::text from {table} t where {column} = '{}' order by 2;", lane.tenant)
    };
    worlds.superuser(world).await.rows(&tables.chain([own]).map(of).collect::<String>()).await
}

async fn major(worlds: &Worlds) -> u32 {
    let session: Session = worlds.superuser(World::Sparse).await;
    let number = session.value("select current_setting('server_version_num')::int / 10000").await;
    number.and_then(|n| n.parse().ok()).expect("a major version")
}

impl Tally {
    fn count(&mut self, program: &[Statement], transcript: &Transcript) {
        let replies = program.iter().zip(&transcript.replies);
        for (_, reply) in replies.filter(|(statement, _)| !statement.frame) {
            self.statements += 1;
            self.succeeded += usize::from(reply.succeeded());
            self.rows += reply.rows();
        }
    }

    /// This and that together.
    pub fn and(self, other: Tally) -> Tally {
        Tally {
            statements: self.statements + other.statements,
            succeeded: self.succeeded + other.succeeded,
            rows: self.rows + other.rows,
            unplanned: self.unplanned + other.unplanned,
        }
    }
}
