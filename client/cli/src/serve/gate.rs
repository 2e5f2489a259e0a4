//! Who is let in. Without a token and without a proxy: who is on this machine and asks for this machine, so that no
//! site whose name leads here (DNS rebinding) reads the page in somebody's browser.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use ring::hmac;

use super::options::Serving;

/// What a token has at least.
const SHORTEST: usize = 16;

pub struct Gate {
    token: Option<Token>,
    proxy: Option<(HeaderName, Vec<IpNet>)>,
}

/// Compared by a keyed digest, in the same time whatever is sent.
struct Token {
    key: hmac::Key,
    digest: hmac::Tag,
}

/// Whether a request is answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By whom, where a proxy says so.
    In(Option<String>),
    /// A token would let it in.
    AskToken,
    Out(&'static str),
}

impl Gate {
    /// # Errors
    /// Options that would let everybody in, in a sentence.
    pub fn of(options: &Serving) -> Result<Gate, String> {
        let token = options.token_file.as_deref().map(Token::read).transpose()?;
        if options.from.iter().any(|net| net.prefix_len() == 0) {
            return Err("--from would trust every network: name the proxy's".to_owned());
        }
        let proxy = options.trust_header.clone().map(|name| (name, options.from.clone()));
        if token.is_none() && proxy.is_none() && !options.listen.ip().is_loopback() {
            return Err(format!(
                "{} can be reached from elsewhere: give --token-file, or --trust-header and --from",
                options.listen
            ));
        }
        Ok(Gate { token, proxy })
    }

    /// `known`: the browser has given the token before.
    pub fn judge(&self, peer: SocketAddr, headers: &HeaderMap, known: bool) -> Verdict {
        if let Some((name, networks)) = &self.proxy {
            let peer: IpAddr = peer.ip().to_canonical();
            let mut values = headers.get_all(name).iter();
            match (networks.iter().any(|net| net.contains(&peer)), values.next(), values.next()) {
                (true, Some(who), None) if !who.is_empty() => match who.to_str() {
                    Ok(who) => return Verdict::In(Some(who.to_owned())),
                    Err(_) => return Verdict::Out("The proxy's header cannot be read."),
                },
                _ if self.token.is_none() => return Verdict::Out("This page is reached through its proxy, signed in."),
                _ => {}
            }
        }
        match &self.token {
            Some(token) if known || bearer(headers).is_some_and(|given| token.is(given)) => Verdict::In(None),
            Some(_) => Verdict::AskToken,
            None if names_this_machine(headers) => Verdict::In(None),
            None => Verdict::Out("Ask for localhost, 127.0.0.1 or [::1]."),
        }
    }

    pub fn is_token(&self, given: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.is(given.trim()))
    }
}

impl Token {
    fn read(file: &std::path::Path) -> Result<Token, String> {
        let told = |why: &str| format!("--token-file {}: {why}", file.display());
        let token = std::fs::read_to_string(file).map_err(|error| told(&error.to_string()))?;
        if token.trim().len() < SHORTEST {
            return Err(told(&format!("a token has {SHORTEST} characters or more")));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>());
        Ok(Token { digest: hmac::sign(&key, token.trim().as_bytes()), key })
    }

    fn is(&self, given: &str) -> bool {
        hmac::verify(&self.key, given.as_bytes(), self.digest.as_ref()).is_ok()
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| own.eq_ignore_ascii_case(name))
}
