//! A page becomes files: each fenced block of code names the one it belongs to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

/// What may stand on a page without being run: commands for a shell, settings of another program, what one sees.
const NOT_RUN: [&str; 3] = ["sh", "ini", "text"];

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// Writes the files of a page, and those beside its checks, into a directory of its own, and returns that.
pub(crate) fn unfold(page: &str) -> anyhow::Result<PathBuf> {
    let source = root().join(format!("client/docs/clients/{page}.md"));
    let text = fs::read_to_string(&source).with_context(|| format!("read {}", source.display()))?;
    let files = blocks(&text).with_context(|| source.display().to_string())?;
    let directory = root().join("target/clients/pages").join(page);
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    for beside in ["lib", page] {
        let beside = root().join("tests/clients").join(beside);
        if beside.exists() {
            copy(&beside, &directory)?;
        }
    }
    for (name, code) in files {
        let path = directory.join(&name);
        ensure!(!path.exists(), "{name} is on the page and in tests/clients/{page}");
        fs::create_dir_all(path.parent().expect("a directory"))?;
        fs::write(path, code)?;
    }
    Ok(directory)
}

/// The files by their names, their blocks in the order of the page.
fn blocks(page: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut into: Option<Option<String>> = None; // in a block: the file that it goes to, if any
    for line in page.lines() {
        match (&into, line.strip_prefix("```")) {
            (None, None) => {}
            (None, Some(info)) => into = Some(file_of(info)?),
            (Some(_), Some("")) => into = None,
            (Some(None), _) => {}
            (Some(Some(name)), _) => {
                let file = files.entry(name.clone()).or_default();
                file.push_str(line);
                file.push('\n');
            }
        }
        if let (Some(Some(name)), Some(_)) = (&into, line.strip_prefix("```")) {
            let file = files.entry(name.clone()).or_default();
            if !file.is_empty() {
                file.push('\n');
            }
        }
    }
    ensure!(into.is_none(), "a block has no end");
    ensure!(!files.is_empty(), "no block names a file");
    Ok(files)
}

/// `python tenant.py` goes to `tenant.py`.
fn file_of(info: &str) -> anyhow::Result<Option<String>> {
    match info.split_once(' ') {
        Some((_, name)) if !name.starts_with('/') && !name.contains("..") => Ok(Some(name.to_owned())),
        None if NOT_RUN.contains(&info) => Ok(None),
        _ => bail!("a block of {info:?} names no file, so nothing runs it"),
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let (entry, to) = (entry?, to);
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
