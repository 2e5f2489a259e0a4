//! A position in the server's write-ahead log.

use std::fmt;
use std::str::FromStr;

/// How far the log had got, as PostgreSQL writes it (`pg_lsn`): `16/B374D848`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Lsn(u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// The text is no position.
#[derive(Debug)]
pub(crate) struct NoLsn;

impl FromStr for Lsn {
    type Err = NoLsn;

    fn from_str(text: &str) -> Result<Lsn, NoLsn> {
        let half = |text: &str| match text.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => u32::from_str_radix(text, 16).map_err(|_| NoLsn),
            false => Err(NoLsn),
        };
        let (high, low) = text.split_once('/').ok_or(NoLsn)?;
        Ok(Lsn(u64::from(half(high)?) << 32 | u64::from(half(low)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_as_it_was_written() {
        for text in ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Lsn>().unwrap().to_string(), text);
        }
        assert!("1/0".parse::<Lsn>().unwrap() > "0/FFFFFFFF".parse().unwrap());
        for text in ["", "0", "/", "0/", "+1/0", "0/100000000", "0/0'", "g/0"] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }
}
