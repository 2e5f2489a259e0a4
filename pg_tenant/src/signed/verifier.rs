//! The keys, the rules and the tokens that this backend has verified.
//!
//! All settings of signed entry come from configuration files, so keys and rules are read at the first token of a
//! session and at the first one after each reload. A reload also empties the cache: tokens of a key that was removed
//! are refused from then on.

use crate::gucs;
use crate::pg::report::Outcome;
use crate::pg::server;
use crate::signed::{key_file, refusals};
use pg_tenant_token::{KeySet, Rejected, Rules, Verified, fingerprint};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// At most this many tokens are remembered; past it the cache begins anew.
const CAPACITY: usize = 1024;

#[derive(Default)]
struct Verifier {
    read_at: Option<i64>,
    keys: Option<KeySet>,
    rules: Rules,
    /// By fingerprint: the tokens themselves are not kept.
    verified: HashMap<[u8; 32], Rc<Verified>>,
}

enum Failure {
    NoKeys { configured: bool },
    Rejected(Rejected),
}

thread_local! {
    static VERIFIER: RefCell<Verifier> = RefCell::new(Verifier::default());
}

/// Makes room for keys and tokens, before the first session: see pg/memory.rs.
pub fn init() {
    VERIFIER.take();
}

/// What the token says. A token that was verified before costs no signature check, but is asked for its time again.
pub fn verify(token: &str) -> Outcome<Rc<Verified>> {
    let now = server::now();
    // No borrow is held while a report is made.
    let (complaint, answer) = VERIFIER.with_borrow_mut(|verifier| (verifier.refresh(), verifier.answer(token, now)));
    if let Some((path, why, kept)) = complaint {
        refusals::log_bad_key_set(&path, &why, kept);
    }
    let verified = answer.map_err(|failure| match failure {
        Failure::NoKeys { configured } => refusals::no_token_keys(configured),
        Failure::Rejected(why) => refusals::rejected(&why),
    })?;
    let held = |name: &Option<String>| name.as_deref().is_none_or(server::can_hold);
    if held(&verified.actor) && held(&verified.role) {
        Ok(verified)
    } else {
        Err(refusals::token_claim_not_in_encoding())
    }
}

impl Verifier {
    /// Reads keys and rules where the configuration was read since. Returns what is wrong with the file, and whether
    /// there are keys from before.
    fn refresh(&mut self) -> Option<(String, String, bool)> {
        let read_at = server::configuration_read_at();
        if self.read_at == Some(read_at) {
            return None;
        }
        self.verified.clear();
        self.rules = gucs::token_rules();
        self.read_at = Some(read_at);
        let Some(path) = gucs::jwks_file() else {
            self.keys = None;
            return None;
        };
        match key_file::read(&path) {
            Ok(keys) => {
                self.keys = Some(keys);
                None
            }
            Err(why) => Some((path, why, self.keys.is_some())),
        }
    }

    fn answer(&mut self, token: &str, now: i64) -> Result<Rc<Verified>, Failure> {
        let Some(keys) = &self.keys else {
            return Err(Failure::NoKeys { configured: gucs::jwks_file().is_some() });
        };
        let name = fingerprint(token);
        if let Some(verified) = self.verified.get(&name) {
            verified.check_time(self.rules.leeway, now).map_err(Failure::Rejected)?;
            return Ok(Rc::clone(verified));
        }
        let verified = Rc::new(pg_tenant_token::verify(token, keys, &self.rules, now).map_err(Failure::Rejected)?);
        if self.verified.len() >= CAPACITY {
            self.verified.clear();
        }
        self.verified.insert(name, Rc::clone(&verified));
        Ok(verified)
    }
}
