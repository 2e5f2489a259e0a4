//! How the numbers outlive a restart: the postmaster writes them when the server stops, and reads them when it starts.
//! After a crash there is no file, and they begin again.

use crate::pg::server;
use crate::pg::statistics::{self, Board};
use pg_tenant_core::statistics::{Counters, Key, LARGE, SMALL};
use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// In the data directory, where PostgreSQL keeps its own statistics.
const PATH: &str = "pg_stat/pg_tenant.stat";
/// Another number with each change of what is written.
const FORMAT: u64 = 0x7067_7465_6e73_0001;

/// Reads the file and deletes it, or begins anew.
pub(super) fn read() {
    let Some(board) = statistics::board() else { return };
    let random = server::random();
    let (halves, _) = random.as_chunks::<8>();
    let fresh = [u64::from_ne_bytes(halves[0]), u64::from_ne_bytes(halves[1])];
    board.begin(fresh, u64::try_from(server::now()).unwrap_or_default());
    // One that is not whole, or of another format, is as none.
    if let Ok(Some(kept)) = read_whole() {
        board.begin(kept.secret, kept.since);
        let table = board.table();
        for (key, counters) in &kept.numbers {
            match Key::new(*key) {
                Some(key) => table.restore(key, counters),
                None => table.others.add(counters),
            }
        }
    }
    let _ = fs::remove_file(PATH);
}

/// What the file has; the key of the others is 0.
struct Kept {
    secret: [u64; 2],
    since: u64,
    numbers: Vec<(u64, Counters)>,
}

fn read_whole() -> io::Result<Option<Kept>> {
    let mut file = BufReader::new(fs::File::open(PATH)?);
    let mut next = || {
        let mut bytes = [0; 8];
        file.read_exact(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    };
    if next()? != FORMAT {
        return Ok(None);
    }
    let (secret, since, count) = ([next()?, next()?], next()?, next()?);
    let mut numbers = Vec::new();
    for _ in 0..count {
        let key = next()?;
        let mut counters = Counters::ZERO;
        for number in &mut counters.large {
            *number = next()?;
        }
        for number in &mut counters.small {
            *number = next()? as u32;
        }
        numbers.push((key, counters));
    }
    Ok(Some(Kept { secret, since, numbers }))
}

/// Writes the file, whole or not at all.
pub(super) fn write() {
    let Some(board) = statistics::board() else { return };
    let unfinished = Path::new(PATH).with_extension("tmp");
    if write_to(board, &unfinished).and_then(|()| fs::rename(&unfinished, PATH)).is_err() {
        let _ = fs::remove_file(&unfinished);
    }
}

fn write_to(board: &'static Board, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    let mut put = |number: u64| file.write_all(&number.to_le_bytes());
    let [first, second] = board.secret();
    let table = board.table();
    let slots = table.all();
    for number in [FORMAT, first, second, board.since(), slots.len() as u64 + 1] {
        put(number)?;
    }
    for (key, counters) in
        slots.into_iter().map(|(key, counters)| (key.get(), counters)).chain([(0, table.others.read())])
    {
        put(key)?;
        let small: [u64; SMALL] = counters.small.map(u64::from);
        let large: [u64; LARGE] = counters.large;
        large.into_iter().chain(small).try_for_each(&mut put)?;
    }
    file.into_inner()?.sync_all()
}
