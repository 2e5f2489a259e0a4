//! What a session sees of a program, and where two of them differ.

use std::fmt;

use futures_util::future::join_all;
use futures_util::{StreamExt, pin_mut};
use pg_tenant_tests::Session;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::types::Type;

use crate::generator::{Seen, Statement};
use crate::unplanned;

/// What came back of one statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Rows as text, headed by the names of columns, and the counts of the command tags.
    Done {
        rows: Vec<Vec<Option<String>>>,
        counts: Vec<u64>,
    },
    Refused(Vec<String>),
    Copied(Vec<String>),
    /// There is nothing to compare: see [`unplanned`].
    Unplanned,
}

/// What came back of a program.
#[derive(Debug, PartialEq)]
pub struct Transcript {
    pub replies: Vec<Reply>,
    /// In any order: plans may call functions in any.
    pub notices: Vec<Vec<String>>,
}

/// So many statements are under way at once.
const FLIGHT: usize = 24;

/// More than one scan of a tenant's own rows can be the cause of.
pub const MANY: u64 = 200;

/// Runs a program; all of it is sent before the first answer is awaited, but for COPY.
pub async fn perform(session: &Session, program: &[Statement]) -> Transcript {
    let mut replies = Vec::with_capacity(program.len());
    for flight in program.chunk_by(|a, b| !a.alone() && !b.alone()).flat_map(|run| run.chunks(FLIGHT)) {
        replies.extend(join_all(flight.iter().map(|statement| reply(session, statement))).await);
    }
    let mut notices: Vec<_> = session.notices().iter().map(said).collect();
    notices.sort();
    Transcript { replies, notices }
}

async fn reply(session: &Session, statement: &Statement) -> Reply {
    let answer = match statement {
        _ if statement.copies() => copied(session, &statement.sql).await,
        _ if statement.params.is_empty() => done(session, statement).await,
        _ => bound(session, statement).await,
    };
    answer.unwrap_or_else(|error| match error.as_db_error() {
        Some(error) if unplanned::is(error) => Reply::Unplanned,
        Some(error) => Reply::Refused(said(error)),
        None => panic!("the connection is lost: {error}\n{}", statement.sql),
    })
}

async fn done(session: &Session, statement: &Statement) -> Result<Reply, tokio_postgres::Error> {
    let (mut head, mut rows, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for message in session.simple_query(&statement.sql).await? {
        match message {
            SimpleQueryMessage::Row(row) => rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
            SimpleQueryMessage::CommandComplete(count) => counts.push(count),
            SimpleQueryMessage::RowDescription(columns) => {
                head.push(columns.iter().map(|column| Some(column.name().to_owned())).collect());
            }
            _ => {}
        }
    }
    if !statement.ordered {
        rows.sort();
    }
    head.extend(rows);
    Ok(Reply::Done { rows: head, counts })
}

/// By the extended protocol: all columns are texts.
async fn bound(session: &Session, statement: &Statement) -> Result<Reply, tokio_postgres::Error> {
    let plan = session.prepare_typed(&statement.sql, &[Type::TEXT]).await?;
    let (mut rows, mut counts) = (vec![Vec::new()], Vec::new());
    for value in &statement.params {
        let came = session.query(&plan, &[value]).await?;
        counts.push(came.len() as u64);
        rows.extend(came.iter().map(|row| (0..row.len()).map(|i| row.get(i)).collect()));
    }
    rows.sort();
    Ok(Reply::Done { rows, counts })
}

async fn copied(session: &Session, sql: &str) -> Result<Reply, tokio_postgres::Error> {
    let stream = session.copy_out(sql).await?;
    pin_mut!(stream);
    let mut lines = Vec::new();
    while let Some(line) = stream.next().await {
        lines.push(String::from_utf8_lossy(&line?).into_owned());
    }
    lines.sort();
    Ok(Reply::Copied(lines))
}

/// All that an error or a notice says, but for the line of PostgreSQL's source. That a worker said it is the plan's
/// doing, which is no secret that is kept.
fn said(e: &DbError) -> Vec<String> {
    let place = match e.position() {
        Some(ErrorPosition::Original(at)) => at.to_string(),
        Some(ErrorPosition::Internal { position, query }) => format!("{position} of {query}"),
        None => String::new(),
    };
    let context = e.where_().unwrap_or_default().replace("\nparallel worker", "").replace("parallel worker", "");
    let parts = [e.detail(), e.hint(), e.schema(), e.table(), e.column(), e.datatype(), e.constraint()];
    let head = [e.severity(), e.code().code(), e.message()].map(str::to_owned).into_iter();
    head.chain(parts.map(|part| part.unwrap_or("-").to_owned())).chain([context, place]).collect()
}

impl Transcript {
    /// Whether PostgreSQL's planner failed in it.
    pub fn is_unplanned(&self) -> bool {
        self.replies.contains(&Reply::Unplanned)
    }

    /// This, and then that.
    pub fn then(mut self, other: Transcript) -> Transcript {
        self.replies.extend(other.replies);
        self.notices.extend(other.notices);
        self.notices.sort();
        self
    }
}

/// The first statement with different replies, and both of them.
pub fn difference(program: &[Statement], tenant: &str, one: &Transcript, two: &Transcript) -> Option<String> {
    let replies = program.iter().zip(one.replies.iter().zip(&two.replies));
    let (mut same, mut many) = (true, 0);
    let mut differs = |(statement, (one, two)): (&Statement, (&Reply, &Reply))| match statement.seen {
        Seen::All => one != two,
        _ if !one.succeeded() || !two.succeeded() => one != two,
        Seen::Plan => {
            same = one == two && one.is_told();
            false
        }
        Seen::Probe | Seen::Loose => {
            same &= statement.seen == Seen::Probe;
            many = statement.at_most();
            if same { one != two } else { one.of_others(tenant) != two.of_others(tenant) }
        }
        Seen::Count => {
            let least = usize::from(same); // the first is of the planner as well
            one.numbers(many).iter().take(least).ne(two.numbers(many).iter().take(least))
                || if same { one.but_first() != two.but_first() } else { one.numbers(many) != two.numbers(many) }
        }
    };
    if let Some(at) = replies.enumerate().find_map(|(at, both)| differs(both).then_some(at)) {
        let upto: String = program[..=at].iter().map(|s| format!("{};\n", s.sql)).collect();
        return Some(format!("{upto}crowded: {}\nsparse: {}", one.replies[at], two.replies[at]));
    }
    let all: String = program.iter().map(|s| format!("{};\n", s.sql)).collect();
    let lone = |of: &[Vec<String>], by: &[Vec<String>]| of.iter().find(|n| !by.contains(n)).cloned();
    (one.notices != two.notices).then(|| {
        let (crowded, sparse) = (lone(&one.notices, &two.notices), lone(&two.notices, &one.notices));
        let counts = (one.notices.len(), two.notices.len());
        format!("{all}notices: {counts:?} of them, in the crowded world alone {crowded:?}, in the sparse {sparse:?}")
    })
}

impl Reply {
    pub fn succeeded(&self) -> bool {
        matches!(self, Reply::Done { .. } | Reply::Copied(_))
    }

    /// Whether what comes of a plan is all in its text: where a row lies is not, nor beside which ones (BRIN keeps one
    /// summary for a range of pages, and an ordered scan reads one entry ahead), nor how often the planner asked, nor
    /// which side of a hash join is asked first for a row: costs decide, and where that side has none the other is not
    /// read.
    fn is_told(&self) -> bool {
        let text = self.to_string();
        !["ctid", "amount_idx", "<->", "lie('"].iter().any(|word| text.contains(word))
            && !text.lines().any(|line| line.contains("Hash") && line.contains("Join"))
    }

    /// What is not the tenant's own, nor everybody's: those rows are left out, and the counts.
    fn of_others(&self, tenant: &str) -> Reply {
        let others = |row: &&Vec<Option<String>>| ![Some(&Some(tenant.to_owned())), Some(&None)].contains(&row.first());
        match self {
            Reply::Done { rows, counts } => {
                let counts = counts.iter().map(|n| u64::from(*n > MANY)).collect();
                Reply::Done { rows: rows.iter().filter(others).cloned().collect(), counts }
            }
            Reply::Copied(lines) => Reply::Copied(
                lines.iter().filter(|line| !line.starts_with(tenant) && !line.starts_with("\\N")).cloned().collect(),
            ),
            other => other.clone(),
        }
    }

    /// Of each number whether it passes this.
    fn numbers(&self, many: u64) -> Vec<bool> {
        let Reply::Done { rows, .. } = self else { return Vec::new() };
        let number =
            |value: &Option<String>| value.as_ref().and_then(|n| n.parse().ok()).is_some_and(|n: u64| n > many);
        rows[1..].iter().flatten().take(3).map(number).collect()
    }

    fn but_first(&self) -> Vec<Option<String>> {
        let Reply::Done { rows, .. } = self else { return Vec::new() };
        rows[1..].iter().flat_map(|row| &row[usize::from(row.len() > 1)..]).cloned().collect()
    }

    /// How many rows came.
    pub fn rows(&self) -> usize {
        match self {
            Reply::Done { rows, .. } => rows.len().saturating_sub(1),
            Reply::Copied(lines) => lines.len(),
            Reply::Refused(_) | Reply::Unplanned => 0,
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Done { rows, counts } => {
                writeln!(f, "{counts:?}")?;
                rows.iter().take(60).try_for_each(|row| {
                    let row: Vec<_> = row.iter().map(|value| value.as_deref().unwrap_or("null")).collect();
                    writeln!(f, "  {}", row.join(" | "))
                })
            }
            Reply::Refused(said) => write!(f, "{said:?}"),
            Reply::Copied(lines) => write!(f, "{lines:?}"),
            Reply::Unplanned => write!(f, "unplanned"),
        }
    }
}
