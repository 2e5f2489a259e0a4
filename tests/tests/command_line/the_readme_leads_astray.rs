//! Each line of the walk in `client/cli/README.md` is one that the program takes, and the walk passes every command.

use std::collections::BTreeSet;
use std::path::Path;

use super::pgtenant;

/// The words of the lines in `sh` blocks, without what stands behind `#`.
fn walk() -> Vec<Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/cli/README.md");
    let page = std::fs::read_to_string(file).expect("the page");
    let lines = page.lines().filter_map(|line| line.strip_prefix("pgtenant "));
    lines.map(|line| words(line.split(" #").next().unwrap_or_default())).collect()
}

/// Words as a shell has them: in single quotes they are one.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (nth, part) in line.split('\'').enumerate() {
        if nth % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The commands below this one that do something, as `--help` lists them.
fn commands(of: &[String], found: &mut Vec<Vec<String>>) {
    let mut args: Vec<&str> = of.iter().map(String::as_str).collect();
    args.push("--help");
    let (status, said) = pgtenant(&args);
    assert_eq!(status, Some(0), "{of:?}: {said}");
    let Some((_, list)) = said.split_once("\nCommands:\n") else { return found.push(of.to_owned()) };
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?;
        name.split_whitespace().next().filter(|name| *name != "help")
    });
    for name in names {
        commands(&[of, &[name.to_owned()]].concat(), found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nowhere() {
    let walk = walk();
    for line in &walk {
        // What comes before --help is read, and refused where it is not known; what is missing is not asked for.
        let args: Vec<&str> = line.iter().map(String::as_str).chain(["--help"]).collect();
        let (status, said) = pgtenant(&args);
        assert_eq!(status, Some(0), "{line:?}: {said}");
    }
    let mut found = Vec::new();
    commands(&[], &mut found);
    assert!(found.len() > 30, "{found:?}");
    let missed: BTreeSet<_> =
        found.iter().filter(|command| !walk.iter().any(|line| line.starts_with(command))).collect();
    assert!(missed.is_empty(), "the walk does not pass {missed:?}");
}
