//! A seeded source of transactions: the same seed and lane, the same statements.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::compare::MANY;
use crate::lane::Lane;
use crate::tables::{FILES, LEDGER, TABLES, Table, VIEWS};
use crate::vocabulary::Family;
use crate::world::FROZEN;
use crate::{attacks, frames, reads, told, writes};

/// One statement of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub sql: String,
    /// The order of its rows is part of what is compared.
    pub ordered: bool,
    /// Begins, ends or savepoints, which are not counted as statements.
    pub frame: bool,
    /// What is compared of its answer.
    pub seen: Seen,
    /// By the extended protocol, once with each.
    pub params: Vec<&'static str>,
}

/// What is compared. A condition that changes as it is asked, or counts, tells of the plan as well as of rows: unless
/// the plans are the same, only what is of others is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    All,
    /// The plan of the next one, which is not compared but with the other world's.
    Plan,
    /// Rows, of which the first column says whose they are.
    Probe,
    /// The same, where it is not known whether the plans are.
    Loose,
    /// Counters.
    Count,
}

/// The source.
pub struct Generator {
    rng: StdRng,
    pub lane: Lane,
    /// The major of the server, for what only newer ones have.
    pub major: u32,
    /// What is prepared in the session.
    pub prepared: Vec<String>,
    /// Whether this transaction is inside the lane's tenant.
    pub inside: bool,
    /// What attacks live on; none, and there are no attacks.
    pub families: &'static [Family],
    /// Whether a value can be a parameter.
    pub parameter: bool,
    /// Attacks that are prepared in the session, and one that goes at the attack's end.
    pub plots: Vec<(String, String)>,
    pub to_forget: Option<String>,
    /// Reads of what PostgreSQL tells of others; none, and there are no such reads.
    pub told: Vec<String>,
    names: u32,
}

impl Generator {
    pub fn new(seed: u64, lane: Lane, major: u32, families: &'static [Family]) -> Generator {
        Generator {
            rng: StdRng::seed_from_u64(seed),
            lane,
            major,
            prepared: Vec::new(),
            inside: false,
            families,
            parameter: false,
            plots: Vec::new(),
            to_forget: None,
            told: Vec::new(),
            names: 0,
        }
    }

    /// One transaction, from `begin` to its end, or statements outside of any.
    pub fn transaction(&mut self) -> Vec<Statement> {
        let mut program = Vec::new();
        frames::begin(self, &mut program);
        for _ in 0..self.int(6, 20) {
            self.statement(&mut program);
        }
        frames::end(self, &mut program);
        program
    }

    fn statement(&mut self, program: &mut Vec<Statement>) {
        match self.int(0, 125) {
            0..40 if self.inside && !self.told.is_empty() => told::read(self, program),
            0..56 => program.push(reads::read(self)),
            56..78 => program.push(writes::write(self)),
            78..84 => writes::cursor(self, program),
            84..89 => frames::execute(self, program),
            89..96 => {
                let sql = writes::refused(self);
                self.undone(program, Statement::of(sql));
            }
            96..99 => frames::savepoints(self, program),
            99 => program.push(Statement::of(writes::refused(self))), // the rest of the transaction fails
            _ if self.families.is_empty() => {}
            _ => attacks::attack(self, program),
        }
    }

    /// A statement that may fail, and whatever it does is undone.
    pub fn undone(&mut self, program: &mut Vec<Statement>, statement: Statement) {
        program.extend([Statement::frame("savepoint risk"), statement, Statement::frame("rollback to risk")]);
    }

    pub fn int(&mut self, from: i32, to: i32) -> i32 {
        self.rng.random_range(from..to)
    }

    pub fn one_in(&mut self, n: i32) -> bool {
        self.int(0, n) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.random_range(0..of.len())]
    }

    /// A name that no other statement of the lane has.
    pub fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// The id of a row that the tenant is likely to have.
    pub fn id(&mut self) -> i32 {
        self.int(1, 45)
    }

    /// What this lane can read: seldom what belongs to tenants with ids of the other kind, which is refused.
    pub fn relation(&mut self) -> &'static Table {
        match self.int(0, 200) {
            0..24 => self.pick(&[&LEDGER, &FILES][usize::from(self.lane.uuid)..][..1]),
            24 => self.pick(&[&LEDGER, &FILES]),
            25..60 => self.pick(&VIEWS.iter().collect::<Vec<_>>()),
            _ => self.pick(&TABLES.iter().collect::<Vec<_>>()),
        }
    }

    /// A table in which `id` is unique.
    pub fn keyed(&mut self) -> &'static Table {
        self.pick(&TABLES.iter().filter(|table| table.keyed).collect::<Vec<_>>())
    }

    /// A tenant that this one is not; some of them are of one world alone. Who is inside none may enter any that there
    /// is, so there it is one that nobody enters.
    pub fn other_tenant(&mut self) -> &'static str {
        if !self.inside {
            return self.pick(&["nobody", FROZEN]);
        }
        let others = ["2001", "2003", "nobody", FROZEN];
        let uuids = ["00000000-0000-4000-8000-000000000009", "00000000-0000-4000-8000-000000000008"];
        if self.one_in(3) { self.pick(&uuids) } else { self.pick(&others) }
    }
}

impl Statement {
    pub fn of(sql: String) -> Statement {
        Statement { sql, ordered: false, frame: false, seen: Seen::All, params: Vec::new() }
    }

    pub fn frame(sql: &str) -> Statement {
        Statement { frame: true, ..Statement::of(sql.to_owned()) }
    }

    /// Whether the rows come by the COPY protocol.
    pub fn copies(&self) -> bool {
        self.sql.starts_with("copy ")
    }

    /// What the tenant's own rows can be the cause of.
    pub fn at_most(&self) -> u64 {
        // A tenant sees at most 52 rows of a table, nobody's with them: 2,704 pairs.
        let pairs = if self.sql.contains(" w ") || self.sql.contains(" join ") || self.sql.starts_with("fetch") {
            14
        } else {
            1
        };
        let counted = ["tick(", "lie(", "'evil.m'", "'evil.n'"];
        let calls = counted.iter().map(|call| self.sql.matches(call).count()).sum::<usize>().max(1);
        MANY * pairs * (calls * self.params.len().max(1)) as u64
    }

    /// Whether it takes more than one message: nothing else is under way meanwhile.
    pub fn alone(&self) -> bool {
        self.copies() || !self.params.is_empty()
    }
}
