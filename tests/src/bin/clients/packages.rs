//! Pinned packages, unpacked under `target/clients/` by their own tools, once for each list of them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::page::root;

/// What a page's checks need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Python's packages: `tests/clients/requirements.txt`.
    Pip,
    /// Node's packages: `tests/clients/package-lock.json`.
    Npm,
    /// Programs and libraries of Debian: `tests/setup/debian_clients`.
    Debian,
}

impl Need {
    pub(crate) const ALL: [Need; 3] = [Need::Pip, Need::Npm, Need::Debian];

    /// As the command line says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Need::Pip => "pip",
            Need::Npm => "npm",
            Need::Debian => "debian",
        }
    }

    /// Where its packages are.
    pub(crate) fn home(self) -> PathBuf {
        let home = root().join("target/clients");
        match self {
            Need::Pip => home.join("python"),
            Need::Npm => home, // Node looks for node_modules in the directories above a file
            Need::Debian => home.join("debian"),
        }
    }

    /// Unpacks what is not there yet. Why it cannot be had, where nobody answers.
    pub(crate) fn unpack(self) -> anyhow::Result<Option<String>> {
        if self == Need::Debian
            && let Some(why) = Need::Pip.unpack()?
        {
            return Ok(Some(why)); // its checks are in Python, some of them
        }
        let script = root().join("tests/setup/clients");
        let out = Command::new(&script).arg(self.name()).arg(self.home()).output();
        let out = out.with_context(|| format!("run {}", script.display()))?;
        let said = String::from_utf8_lossy(&out.stderr);
        match out.status.code() {
            Some(0) => Ok(None),
            Some(75) => Ok(Some(said.lines().last().unwrap_or_default().to_owned())), // EX_TEMPFAIL
            _ => anyhow::bail!("{} {}: {}\n{said}", script.display(), self.name(), out.status),
        }
    }
}
