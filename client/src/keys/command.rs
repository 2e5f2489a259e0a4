//! Keys that a command has: a hardware module's, or a script around a cloud's own.

use std::process::Stdio;
use std::time::Duration;

use pg_tenant_core::TenantId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::service::{KeyFuture, KeyService};
use crate::error::Error;

/// How many bytes a command may answer with.
const LONGEST: u64 = 64 * 1024;

/// Runs `<program> <arguments…> wrap|unwrap|destroy <tenant>`, with the key as bytes on its standard input, and takes
/// what it writes on its standard output, up to 64 KiB. It fails where the command ends with another status than 0,
/// writes more, or has not ended in time; what it writes on its standard error is passed through.
#[derive(Clone, Debug)]
pub struct CommandKeys {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
}

impl CommandKeys {
    /// By this program, in ten seconds.
    pub fn new(program: impl Into<String>) -> CommandKeys {
        CommandKeys { program: program.into(), arguments: Vec::new(), timeout: Duration::from_secs(10) }
    }

    /// An argument before the others.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// How long it may take.
    pub fn timeout(mut self, longest: Duration) -> Self {
        self.timeout = longest;
        self
    }

    async fn run(&self, verb: &str, tenant: &TenantId, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(verb).arg(tenant.as_str()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("The command cannot be run: {why}."))?;
        let answered = async {
            if let Some(mut stdin) = child.stdin.take() {
                // One that reads nothing has closed it.
                let _ = stdin.write_all(input).await;
            }
            let mut answer = Zeroizing::new(Vec::new());
            if let Some(stdout) = child.stdout.take() {
                stdout.take(LONGEST + 1).read_to_end(&mut answer).await?;
            }
            Ok::<_, std::io::Error>((child.wait().await?, answer))
        };
        match tokio::time::timeout(self.timeout, answered).await {
            // Cut off, it would be another key.
            Ok(Ok((_, answer))) if answer.len() as u64 > LONGEST => {
                Err(format!("The command has answered with more than {LONGEST} bytes."))
            }
            Ok(Ok((status, answer))) if status.success() => Ok(answer),
            Ok(Ok((status, _))) => Err(format!("The command has ended with {status}.")),
            Ok(Err(why)) => Err(format!("The command has not answered: {why}.")),
            Err(_) => Err(format!("The command has not ended in {:?}.", self.timeout)),
        }
    }
}

impl KeyService for CommandKeys {
    fn wrap<'a>(&'a self, tenant: &'a TenantId, key: &'a [u8]) -> KeyFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let wrapped = self.run("wrap", tenant, key).await;
            wrapped.map(|bytes| bytes.to_vec()).map_err(|why| Error::key_service(tenant, "wrapped", why))
        })
    }

    fn unwrap<'a>(&'a self, tenant: &'a TenantId, wrapped: &'a [u8]) -> KeyFuture<'a, Zeroizing<Vec<u8>>> {
        Box::pin(async move {
            self.run("unwrap", tenant, wrapped).await.map_err(|why| Error::key_service(tenant, "unwrapped", why))
        })
    }

    fn destroy<'a>(&'a self, tenant: &'a TenantId) -> KeyFuture<'a, ()> {
        Box::pin(async move {
            let done = self.run("destroy", tenant, &[]).await;
            done.map(drop).map_err(|why| Error::key_service(tenant, "destroyed", why))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_none() {
        let tenant: TenantId = "acme".parse().expect("an id");
        let answers = async |bytes: u64| {
            // The shell ends with 0, whatever became of what it has run.
            let script = format!("head -c {bytes} /dev/zero 2>/dev/null; exit 0");
            CommandKeys::new("sh").argument("-c").argument(script).unwrap(&tenant, b"").await
        };
        assert_eq!(answers(LONGEST).await.expect("an answer").len() as u64, LONGEST);
        let error = answers(LONGEST + 4096).await.expect_err("too long");
        assert!(format!("{error:?}").contains("more than 65536 bytes"), "{error:?}");
    }
}
