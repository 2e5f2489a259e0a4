//! `make test-clients`: the pages of `client/docs/clients/`, each with the real package of its language, on a server of
//! its own.
//!
//! The code on a page is what runs: a fenced block names its file (`python tenant.py`), the files of a page become a
//! directory under `target/clients/`, and the checks of `tests/clients/PAGE/` run there, on a database of the page's
//! own.
//!
//! `clients [pip|npm|debian]…`: the pages that need this; without, all. The last line is `N passed, N failed`. Where
//! packages cannot be had it says `skipped: …`.

mod checks; // 4 a page's checks, and what they said
mod packages; // 3 pinned packages, unpacked under target/clients/
mod page; // 1 a page becomes files
mod world; // 2 the server, a database for each page

use std::process::ExitCode;

use checks::Sum;
use packages::Need;
use pg_tenant_tests::skipped;
use world::World;

/// A page: what it needs, and what runs its checks.
struct Subject {
    page: &'static str,
    need: Need,
    check: &'static [&'static str],
}

const fn python(page: &'static str) -> Subject {
    Subject { page, need: Need::Pip, check: &["python3", "check.py"] }
}

const fn node(page: &'static str) -> Subject {
    Subject { page, need: Need::Npm, check: &["node", "--test-reporter=tap", "check.mjs"] }
}

const fn debian(page: &'static str) -> Subject {
    Subject { page, need: Need::Debian, check: &["sh", "check.sh"] }
}

const SUBJECTS: [Subject; 13] = [
    python("psycopg"),
    python("asyncpg"),
    python("sqlalchemy"),
    python("django"),
    python("postgrest"),
    python("bi"),
    node("node-postgres"),
    node("knex"),
    node("drizzle"),
    node("typeorm"),
    node("prisma"),
    debian("jdbc"),
    debian("psqlodbc"),
];

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |s: &&Subject| arguments.is_empty() || arguments.iter().any(|a| *a == s.need.name() || *a == s.page);
    let subjects: Vec<&Subject> = SUBJECTS.iter().filter(wanted).collect();
    anyhow::ensure!(!subjects.is_empty(), "no page of client/docs/clients/ is called, or needs, {arguments:?}");

    let mut sum = Sum::default();
    let mut world = None;
    for need in Need::ALL {
        let of_need: Vec<_> = subjects.iter().filter(|s| s.need == need).collect();
        if of_need.is_empty() {
            continue;
        }
        if let Some(why) = need.unpack()? {
            let pages: Vec<_> = of_need.iter().map(|s| s.page).collect();
            skipped(&format!("{}: {why}", pages.join(", ")));
            continue;
        }
        for subject in of_need {
            let world = match &mut world {
                Some(world) => world,
                none => none.insert(World::build().await?),
            };
            let files = page::unfold(subject.page)?;
            for route in world.routes() {
                let database = world.database(subject.page, &files).await?;
                sum += checks::run(subject, &route, &database, &files, &world.psql_program())?;
            }
        }
    }
    println!("{} passed, {} failed", sum.passed, sum.failed);
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
