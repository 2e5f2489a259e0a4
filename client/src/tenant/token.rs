//! A signed token for the server. It appears in no error, no debug output and no text of a statement.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A token. Cloning shares it; the last clone erases it.
#[derive(Clone)]
pub(crate) struct Token(Arc<Zeroizing<String>>);

impl Token {
    pub(crate) fn new(token: impl Into<String>) -> Token {
        Token(Arc::new(Zeroizing::new(token.into())))
    }

    #[cfg(feature = "sign")]
    pub(crate) fn signed(token: Zeroizing<String>) -> Token {
        Token(Arc::new(token))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn debug_tells_it() {
        assert_eq!(format!("{:?}", Token::new("eyJhbGciOi")), "Token(..)");
    }
}
