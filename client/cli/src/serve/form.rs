//! Forms that another site cannot send: a token in the form that goes with a cookie of this site (SameSite=Strict), and
//! an Origin that is this site's. Both are signed with a key of this process and kept nowhere.

use axum::http::{HeaderMap, header};
use ring::hmac;

/// The cookie's name.
const COOKIE: &str = "pgtenant";

pub struct Forms {
    key: hmac::Key,
}

/// What a browser's cookie says.
#[derive(Clone)]
pub struct Visit {
    nonce: String,
    /// The token was given.
    pub known: bool,
    /// The cookie is new: it must be sent.
    pub fresh: bool,
}

impl Forms {
    pub fn new() -> Forms {
        Forms { key: hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()) }
    }

    /// Of a request; one without a cookie, or with one that is not ours, gets another.
    pub fn visit(&self, headers: &HeaderMap) -> Visit {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let ours = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().strip_prefix("pgtenant="));
        ours.into_iter().find_map(|value| self.read(value)).unwrap_or_else(|| Forms::begin(false))
    }

    /// A new one, so that what stood in the browser before says nothing afterwards.
    pub fn begin(known: bool) -> Visit {
        Visit { nonce: hex(&rand::random::<[u8; 16]>()), known, fresh: true }
    }

    fn read(&self, value: &str) -> Option<Visit> {
        let (nonce, rest) = value.split_once('.')?;
        let (known, signature) = rest.split_once('.')?;
        let known = match known {
            "known" => true,
            "guest" => false,
            _ => return None,
        };
        let visit = Visit { nonce: nonce.to_owned(), known, fresh: false };
        self.is_signed("cookie", &visit, signature).then_some(visit)
    }

    /// The cookie's header.
    pub fn cookie(&self, visit: &Visit) -> String {
        let known = if visit.known { "known" } else { "guest" };
        let signature = self.sign("cookie", visit);
        format!("{COOKIE}={}.{known}.{signature}; Path=/; HttpOnly; SameSite=Strict", visit.nonce)
    }

    /// What stands in a form.
    pub fn token(&self, visit: &Visit) -> String {
        self.sign("form", visit)
    }

    /// Whether a form is this site's, sent by the browser that has got it.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self, visit: &Visit, token: &str, headers: &HeaderMap) -> Result<(), &'static str> {
        if !is_same_origin(headers) {
            return Err("The form was sent by another site.");
        }
        if visit.fresh || !self.is_signed("form", visit, token) {
            return Err("The form is not this page's, or older than it: open the page again.");
        }
        Ok(())
    }

    fn is_signed(&self, what: &str, visit: &Visit, signature: &str) -> bool {
        let message = format!("{what} {} {}", visit.nonce, visit.known);
        unhex(signature).is_some_and(|tag| hmac::verify(&self.key, message.as_bytes(), &tag).is_ok())
    }

    fn sign(&self, what: &str, visit: &Visit) -> String {
        hex(hmac::sign(&self.key, format!("{what} {} {}", visit.nonce, visit.known).as_bytes()).as_ref())
    }
}

/// Browsers send an Origin with each form.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    let from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    !host.is_empty() && from == Some(host)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}
