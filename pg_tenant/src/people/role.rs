//! A role of the application.

/// The longest name of a role and of a permission, in bytes.
pub const MAX_NAME: usize = 63;

/// How many permissions there may be: as `tenant.permissions` says.
const PERMISSIONS: usize = 1024;
const WORD: usize = u64::BITS as usize;

/// Permissions by their number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bits([u64; PERMISSIONS / WORD]);

impl Bits {
    pub const NONE: Bits = Bits([0; PERMISSIONS / WORD]);

    /// Whether the permission with this number is among them.
    #[inline]
    pub fn has(&self, number: u16) -> bool {
        let number = usize::from(number);
        self.0.get(number / WORD).is_some_and(|word| word >> (number % WORD) & 1 == 1)
    }

    pub fn set(&mut self, number: u16) {
        let number = usize::from(number);
        if let Some(word) = self.0.get_mut(number / WORD) {
            *word |= 1 << (number % WORD);
        }
    }

    /// Hexadecimal, the lowest word first, without those at the end that are zero.
    pub fn to_text(self) -> String {
        let used = self.0.iter().rposition(|&word| word != 0).map_or(0, |last| last + 1);
        self.0.iter().take(used).map(|word| format!("{word:016x}")).collect()
    }

    /// Reads what [`Bits::to_text`] has written. Does not allocate.
    pub fn from_text(text: &str) -> Option<Bits> {
        let mut bits = Bits::NONE;
        let words = text.as_bytes().chunks(WORD / 4);
        if words.len() > bits.0.len() {
            return None;
        }
        for (word, digits) in bits.0.iter_mut().zip(words) {
            *word = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok())?;
        }
        Some(bits)
    }
}

/// A role: what it is called, how high it stands, what it may do.
pub struct Role {
    pub name: String,
    pub rank: i32,
    pub permissions: Bits,
    /// Rank, permissions and name, as a parallel worker is given them.
    pub text: String,
}

impl Role {
    pub fn new(name: String, rank: i32, permissions: Bits) -> Role {
        let text = format!("{rank} {} {name}", permissions.to_text());
        Role { name, rank, permissions, text }
    }
}
