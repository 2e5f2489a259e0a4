//! (d) Entering with a token: microseconds in the backend, transaction by transaction, less those of the same loop
//! without an entry. `first`: 1000 tokens, each seen once; `again`: one token, verified before.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use pg_tenant_tests::Session;
use pg_tenant_token::Signer;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::report::{Record, median};
use crate::world::{self, APP, World};

const SECRET: &[u8] = b"a secret of thirty-two bytes....";
const TOKENS: usize = 1000;

pub(crate) async fn run(world: &World, record: &mut Record) -> anyhow::Result<()> {
    let dba = world.session("postgres").await;
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok().context("a key")?;
    let public = Ed25519KeyPair::from_pkcs8(key.as_ref()).ok().context("a key")?;
    let jwks = format!(
        r#"{{"keys":[{{"kty":"oct","kid":"hs","k":"{}"}},{{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"{}"}}]}}"#,
        BASE64URL.encode(SECRET),
        BASE64URL.encode(public.public_key())
    );
    configure(&dba, &jwks).await?;
    dba.run(&format!(
        "create procedure each(tokens text[], times int, enters boolean) language plpgsql as $$
         declare token text;
         begin
            for n in 1 .. times loop
                foreach token in array tokens loop
                    if enters then perform tenant.enter_signed(token); else perform length(token); end if;
                    commit;
                end loop;
            end loop;
         end $$;
         grant execute on procedure each to {APP}"
    ))
    .await;
    for (name, signer) in
        [("hs256", Signer::hs256(Some("hs"), SECRET)?), ("eddsa", Signer::eddsa_pkcs8(Some("ed"), key.as_ref())?)]
    {
        let tokens = tokens(&signer)?;
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            // A new session has verified nothing.
            let app = world.session(APP).await;
            each(&app, &tokens[..1], 200, true).await?;
            first.push(each(&app, &tokens, 1, true).await? - each(&app, &tokens, 1, false).await?);
            again.push(each(&app, &tokens[..1], TOKENS, true).await? - each(&app, &tokens[..1], TOKENS, false).await?);
        }
        record.add("us", "signed_entry", &format!("{name}_first"), median(first));
        record.add("us", "signed_entry", &format!("{name}_again"), median(again));
    }
    Ok(())
}

/// Microseconds of one turn of the loop.
async fn each(app: &Session, tokens: &[String], times: usize, enters: bool) -> anyhow::Result<f64> {
    let call = app.prepare("call each($1, $2, $3)").await?;
    let since = Instant::now();
    app.execute(&call, &[&tokens, &i32::try_from(times)?, &enters]).await?;
    Ok(since.elapsed().as_secs_f64() * 1e6 / (tokens.len() * times) as f64)
}

fn tokens(signer: &Signer) -> anyhow::Result<Vec<String>> {
    let (now, tenant) = (SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(), world::tenant());
    let claims = |n| format!(r#"{{"tenant_id":"{tenant}","sub":"user{n}","role":"clerk","exp":{}}}"#, now + 3600);
    Ok((0..TOKENS).map(|n| signer.sign_claims(&claims(n)).to_string()).collect())
}

/// Gives the server its keys.
async fn configure(dba: &Session, jwks: &str) -> anyhow::Result<()> {
    let data = dba.value("show data_directory").await.context("a directory")?;
    let (file, owner) = (Path::new(&data).join("keys.json"), fs::metadata(&data)?);
    fs::write(&file, jwks)?;
    if fs::metadata(&file)?.uid() != owner.uid() {
        chown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    dba.run("alter system set pg_tenant.jwks_file = 'keys.json'").await;
    dba.run("select pg_reload_conf()").await;
    while dba.value("show pg_tenant.jwks_file").await.as_deref() != Some("keys.json") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The postmaster, of which new sessions are born, may be later than this one.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}
