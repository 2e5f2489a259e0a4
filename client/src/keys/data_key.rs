//! A data key: AES-256-GCM and the key of blind indexes, both random, wrapped together.

use pg_tenant_core::TenantId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::column::Column;

/// Sealing key, then index key.
pub(super) const LENGTH: usize = 64;

/// One version of a tenant's key for a purpose.
pub(super) struct DataKey {
    pub(super) version: u32,
    sealing: LessSafeKey,
}

/// A value of its own format: see `sealed.rs`.
pub(super) const MAGIC: [u8; 4] = *b"PTS1";
pub(super) const HEADER: usize = MAGIC.len() + 4 + NONCE_LEN;

impl DataKey {
    pub(super) fn new(version: u32, bytes: &[u8]) -> Option<DataKey> {
        let sealing = UnboundKey::new(&AES_256_GCM, bytes.get(..32)?).ok()?;
        (bytes.len() == LENGTH).then(|| DataKey { version, sealing: LessSafeKey::new(sealing) })
    }

    /// `PTS1`, version, nonce, and what AES-256-GCM makes of it.
    pub(super) fn seal(&self, aad: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        self.seal_with(nonce, aad, plain)
    }

    /// The nonce is random: of 2^32 values by one key two have the same with a chance of 2^-33.
    pub(super) fn seal_with(&self, nonce: [u8; NONCE_LEN], aad: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut value = Vec::with_capacity(HEADER + plain.len() + AES_256_GCM.tag_len());
        value.extend(MAGIC);
        value.extend(self.version.to_be_bytes());
        value.extend(nonce);
        let mut sealed = plain.to_vec();
        self.sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed).ok()?;
        value.extend(sealed);
        Some(value)
    }

    pub(super) fn open(&self, aad: &[u8], value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let nonce: [u8; NONCE_LEN] = value.get(8..HEADER)?.try_into().ok()?;
        let mut sealed = Zeroizing::new(value.get(HEADER..)?.to_vec());
        let opened =
            self.sealing.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed).ok()?;
        let length = opened.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

/// What a value is bound to.
pub(super) fn aad(tenant: &TenantId, purpose: &str, column: &Column) -> Vec<u8> {
    column.bound(&[b"pg_tenant sealed value 1", tenant.as_str().as_bytes(), purpose.as_bytes()])
}

/// The key of a column's blind index.
pub(super) fn index_key(bytes: &[u8], column: &Column) -> hmac::Key {
    let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes[32..LENGTH]);
    let key = hmac::sign(&root, &column.bound(&[b"pg_tenant blind index 1"]));
    hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())
}

/// Random bytes for a first version.
pub(super) fn random() -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; LENGTH]);
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The layout is kept from version to version: values are in databases.
    #[test]
    fn a_known_value_is_sealed_and_opened() {
        let bytes: Vec<u8> = (0..64).collect();
        let key = DataKey::new(7, &bytes).expect("a key");
        let (tenant, column) = ("acme".parse().expect("an id"), Column::new("customers", "iban"));
        let aad = aad(&tenant, "pii", &column);
        let value = key.seal_with([9; 12], &aad, b"\"CH93\"").expect("sealed");
        assert_eq!(hex(&value[..20]), "5054533100000007090909090909090909090909");
        assert_eq!(value.len(), 20 + 6 + 16);
        assert_eq!(hex(&value[20..]), KNOWN);
        assert_eq!(key.open(&aad, &value).expect("opened").as_slice(), b"\"CH93\"");
        let index = hmac::sign(&index_key(&bytes, &column), b"CH93");
        assert_eq!(hex(index.as_ref()), INDEX);
    }

    /// As another implementation computes them.
    const KNOWN: &str = "915b4002b4bd8eb72aba9f1903f1f677de4d419b5cff";
    const INDEX: &str = "43ca5c2a178e40369cfad2038abcb84154529c9aa21c96ac6906b986750f6fc2";

    #[test]
    fn what_was_changed_does_not_open() {
        let key = DataKey::new(1, &[3; 64]).expect("a key");
        let column = Column::new("customers", "iban");
        let of = |tenant: &str, purpose: &str, column: &Column| aad(&tenant.parse().expect("an id"), purpose, column);
        let here = of("acme", "pii", &column);
        let value = key.seal(&here, b"plain").expect("sealed");
        assert!(key.open(&here, &value).is_some());
        for at in 0..value.len() {
            let mut changed = value.clone();
            changed[at] ^= 1;
            assert!(at < 8 || key.open(&here, &changed).is_none(), "byte {at}");
            assert!(key.open(&here, &value[..at]).is_none(), "the first {at}");
        }
        for there in [
            of("globex", "pii", &column),
            of("acme", "other", &column),
            of("acme", "pii", &Column::new("customer", "siban")),
            of("acme", "pii", &Column::new("customers", "name")),
        ] {
            assert!(key.open(&there, &value).is_none());
        }
        assert_ne!(key.seal(&here, b"plain"), Some(value), "the same value is sealed differently");
    }
}
