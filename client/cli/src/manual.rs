//! What a shell needs to complete commands, and the manual.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Generator, generate};

use crate::wire::Fault;

/// Prints the completions of a shell.
pub fn completions<C: CommandFactory>(shell: impl Generator) -> Result<(), Fault> {
    let mut script = Vec::new();
    generate(shell, &mut C::command(), "pgtenant", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}

/// Prints the manual of the program and of each of its commands, one after the other.
pub fn man<C: CommandFactory>() -> Result<(), Fault> {
    let mut pages = Vec::new();
    let mut root = C::command();
    root.build();
    pages_of(&root, &mut pages)?;
    Ok(io::stdout().lock().write_all(&pages)?)
}

fn pages_of(command: &clap::Command, pages: &mut Vec<u8>) -> io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(pages)?;
    command.get_subcommands().filter(|sub| sub.get_name() != "help").try_for_each(|sub| pages_of(sub, pages))
}
