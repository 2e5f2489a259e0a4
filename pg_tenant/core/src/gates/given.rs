//! What a tenant was given, as its `rates` and its plan's have it.

/// A rate: so many in a second, and so many at once where there were none for a while. 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
    /// Above that, it is noted.
    pub soft: u32,
}

/// What a tenant was given; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Given {
    pub concurrent: u32,
    pub concurrent_soft: u32,
    pub transactions: Rate,
    pub statements: Rate,
    pub rows_written: Rate,
    pub advisory_locks: u32,
    pub temporary_kb: u32,
    /// Its share where the server is full; 0 is that of everybody, 100.
    pub weight: u32,
}

/// Why a limit is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedLimit {
    /// There is none of this name.
    Name,
}

/// How many words of 64 bits hold it.
const WORDS: usize = 7;

impl Given {
    /// The names of limits.
    pub const NAMES: [&'static str; 7] = [
        "concurrent_transactions",
        "transactions_per_second",
        "statements_per_second",
        "rows_written_per_second",
        "advisory_locks",
        "temporary_bytes",
        "weight",
    ];

    /// Sets one limit. What is larger than can be counted is as large as can be.
    ///
    /// # Errors
    /// For a name that is none.
    pub fn set(&mut self, name: &str, hard: u64, soft: u64, burst: u64) -> Result<(), MalformedLimit> {
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let per_second = number(hard);
        let burst = if burst == 0 { per_second } else { number(burst) };
        let rate = Rate { per_second, burst, soft: number(soft) };
        match name {
            "concurrent_transactions" => (self.concurrent, self.concurrent_soft) = (number(hard), number(soft)),
            "transactions_per_second" => self.transactions = rate,
            "statements_per_second" => self.statements = rate,
            "rows_written_per_second" => self.rows_written = rate,
            "advisory_locks" => self.advisory_locks = number(hard),
            "temporary_bytes" => self.temporary_kb = number(hard.div_ceil(1024)),
            "weight" => self.weight = number(hard),
            _ => return Err(MalformedLimit::Name),
        }
        Ok(())
    }

    /// Whether anything is counted for it.
    pub fn needs_gate(&self) -> bool {
        let rates = [self.transactions, self.statements, self.rows_written];
        self.concurrent | self.concurrent_soft > 0 || rates.iter().any(|rate| rate.per_second | rate.soft > 0)
    }

    /// As words, for shared memory.
    pub fn pack(&self) -> [u64; WORDS] {
        let two = |first: u32, second: u32| u64::from(first) << 32 | u64::from(second);
        let Given { transactions: t, statements: s, rows_written: w, .. } = self;
        [
            two(self.concurrent, self.concurrent_soft),
            two(t.per_second, t.burst),
            two(s.per_second, s.burst),
            two(w.per_second, w.burst),
            two(t.soft, s.soft),
            two(w.soft, self.advisory_locks),
            two(self.temporary_kb, self.weight),
        ]
    }

    /// From there.
    pub fn unpack(words: [u64; WORDS]) -> Given {
        let [of, t, s, w, soft, more, last] = words.map(|word| ((word >> 32) as u32, word as u32));
        let rate = |(per_second, burst), soft| Rate { per_second, burst, soft };
        Given {
            concurrent: of.0,
            concurrent_soft: of.1,
            transactions: rate(t, soft.0),
            statements: rate(s, soft.1),
            rows_written: rate(w, more.0),
            advisory_locks: more.1,
            temporary_kb: last.0,
            weight: last.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_place() {
        let mut given = Given::default();
        for (n, name) in (1..).zip(Given::NAMES) {
            assert_eq!(given.set(name, n * 2048, n + 20, n + 30), Ok(()));
        }
        assert_eq!(given.set("connections", 1, 0, 0), Err(MalformedLimit::Name));
        assert_eq!(Given::unpack(given.pack()), given);
        let read =
            (given.concurrent, given.transactions.burst, given.rows_written.soft, given.temporary_kb, given.weight);
        assert_eq!(read, (2048, 32, 24, 12, 14336));
        assert!(given.needs_gate() && !Given { weight: 5, ..Given::default() }.needs_gate());
    }
}
