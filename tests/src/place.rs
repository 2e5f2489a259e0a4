//! Where clusters live, and as whom their servers run: PostgreSQL refuses to run as root.
//!
//! A server started by root runs as `nobody`, who may be shut out of the clone (a 0700 home directory): then clusters
//! live under the system's temporary directory, as `tests/setup/lib.sh` decides for PostgreSQL itself.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The directory of all clusters, and the user that owns it.
pub(crate) struct Place {
    pub(crate) clusters: PathBuf,
    user: Option<(u32, u32)>,
}

/// Who runs servers on root's behalf: the first of these that the system has.
const SERVER_USERS: [&str; 3] = ["nobody", "postgres", "daemon"];

impl Place {
    pub(crate) fn here() -> &'static Place {
        static PLACE: OnceLock<Place> = OnceLock::new();
        PLACE.get_or_init(Place::find)
    }

    fn find() -> Place {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository");
        // Linux: /proc/self belongs to the effective user.
        let uid = fs::metadata("/proc/self").expect("/proc is mounted").uid();
        let user = (uid == 0).then(server_user);
        let home = match user {
            Some(_) if !others_reach(root) => own_temporary_directory(root, uid),
            _ => root.join("target"),
        };
        let place = Place { clusters: home.join("clusters"), user };
        fs::create_dir_all(&place.clusters).expect("create the directory of clusters");
        place.give(&place.clusters);
        place
    }

    /// A directory beside the clusters, which the user that runs servers reaches.
    fn beside(&self, name: &str) -> PathBuf {
        let directory = self.clusters.with_file_name(name);
        fs::create_dir_all(&directory).unwrap_or_else(|e| panic!("create {}: {e}", directory.display()));
        directory
    }

    /// Give a file or directory to the user that runs servers.
    pub(crate) fn give(&self, path: &Path) {
        if let Some((uid, gid)) = self.user {
            chown(path, Some(uid), Some(gid)).unwrap_or_else(|e| panic!("chown {}: {e}", path.display()));
        }
    }

    /// Make a command run as the user that runs servers, from a directory that user can enter.
    pub(crate) fn run_as_server(&self, command: &mut Command) {
        command.current_dir(&self.clusters);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid); // as root, std drops the supplementary groups too
        }
    }

    /// Panics where the user that runs servers cannot reach `dir`.
    pub(crate) fn require_reachable(&self, dir: &Path) {
        assert!(
            self.user.is_none() || others_reach(dir),
            "{} is closed to {}, who runs the server when root asks for one: choose a PG_CONFIG that all may reach",
            dir.display(),
            SERVER_USERS[0]
        );
    }
}

/// A directory for what tests build for their servers.
pub fn workshop(name: &str) -> PathBuf {
    Place::here().beside(name)
}

fn server_user() -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").expect("read /etc/passwd");
    let ids = |name: &str| {
        let mut fields = passwd.lines().map(|line| line.split(':')).find(|f| f.clone().next() == Some(name))?.skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    SERVER_USERS.into_iter().find_map(ids).expect("an ordinary user to run PostgreSQL: nobody, postgres or daemon")
}

fn others_reach(dir: &Path) -> bool {
    dir.ancestors().all(|d| fs::metadata(d).is_ok_and(|m| m.permissions().mode() & 0o001 != 0))
}

fn own_temporary_directory(root: &Path, uid: u32) -> PathBuf {
    let name = format!("pg_tenant{}", root.to_string_lossy().replace('/', "-"));
    let dir = std::env::temp_dir().join(name);
    fs::create_dir_all(&dir).expect("create a temporary directory");
    let meta = fs::symlink_metadata(&dir).expect("stat the temporary directory");
    assert!(meta.is_dir() && meta.uid() == uid, "{} belongs to somebody else", dir.display());
    eprintln!("{} is closed to other users: clusters go to {}", root.display(), dir.display());
    dir
}
