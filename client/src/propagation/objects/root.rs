//! Where a tenant's objects are, and what is said of them inside.

use std::fmt::Write;

use object_store::path::{Path, PathPart};
use object_store::{Error, ObjectMeta, Result};
use pg_tenant_core::TenantId;

/// The name of the store in errors.
pub(super) const STORE: &str = "TenantStore";

/// The directory of one tenant.
#[derive(Clone, Debug)]
pub(super) struct Root(Path);

impl Root {
    pub(super) fn new(base: &Path, id: &TenantId) -> Root {
        Root(base.parts().chain([PathPart::from(name(id))]).collect())
    }

    /// Where this is in the store.
    pub(super) fn locate(&self, inside: &Path) -> Result<Path> {
        // `Path` has no such parts. That is the whole fence, so it is not taken on trust.
        if !inside.parts().all(|part| stays(part.as_ref())) {
            return Err(outside(inside));
        }
        Ok(self.0.parts().chain(inside.parts()).collect())
    }

    /// Where what is there in the store is inside. What lies elsewhere is an error, and not told.
    pub(super) fn strip(&self, location: &Path) -> Result<Path> {
        let mut parts = location.parts();
        for ours in self.0.parts() {
            if parts.next().as_ref() != Some(&ours) {
                return Err(outside(&Path::default()));
            }
        }
        Ok(parts.collect())
    }

    pub(super) fn meta(&self, meta: ObjectMeta) -> Result<ObjectMeta> {
        Ok(ObjectMeta { location: self.strip(&meta.location)?, ..meta })
    }
}

/// Whether a segment leads neither up nor nowhere.
fn stays(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && !segment.contains('/')
}

fn outside(path: &Path) -> Error {
    Error::PermissionDenied { path: path.to_string(), source: "it lies outside of the tenant's objects".into() }
}

/// The id as the name of a directory, on any store: another id has another name, also where upper and lower case are
/// the same and a final dot is nothing.
fn name(id: &TenantId) -> String {
    let id = id.as_str();
    let mut name = String::with_capacity(id.len());
    for (at, byte) in id.bytes().enumerate() {
        let plain = byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if plain || (byte == b'.' && at + 1 < id.len()) {
            name.push(char::from(byte));
        } else {
            // No id has a '='. Writing to a String does not fail.
            let _ = write!(name, "={byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn root(id: &str) -> Root {
        Root::new(&Path::from("tenants"), &id.parse().unwrap())
    }

    #[test]
    fn each_id_has_a_directory_of_its_own_on_any_store() {
        let ids =
            ["acme", "acme2", "Acme", "ACME", "acme.", "acme..", "a.c", "a~b", "a:b", "a+b", "a@b", "a-b", "a_b", "7"];
        let names: HashSet<String> = ids.iter().map(|id| root(id).0.to_string().to_lowercase()).collect();
        assert_eq!(names.len(), ids.len(), "{names:?}");
        for name in names {
            assert_eq!(name.matches('/').count(), 1, "{name}");
            assert!(!name.ends_with('.') && !name.contains('%'), "{name}");
        }
    }

    #[test]
    fn a_segment_that_climbs_is_none() {
        assert!(["a", "...", "%2E%2E", "..a", " "].iter().all(|segment| stays(segment)));
        assert!(["", ".", "..", "../globex", "a/b"].iter().all(|segment| !stays(segment)));
    }

    #[test]
    fn what_lies_elsewhere_is_not_told() {
        let acme = root("acme");
        assert_eq!(acme.strip(&Path::from("tenants/acme/a/b")).unwrap(), Path::from("a/b"));
        assert_eq!(acme.strip(&Path::from("tenants/acme")).unwrap(), Path::default());
        for elsewhere in ["tenants/acme2/a", "tenants", "acme/a", "", "other/acme/a", "tenants/globex/secret"] {
            let error = acme.strip(&Path::from(elsewhere)).unwrap_err().to_string();
            assert!(!error.contains("globex"), "{error}");
        }
    }
}
