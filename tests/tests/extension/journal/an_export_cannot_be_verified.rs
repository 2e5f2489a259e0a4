//! Exported lines and seals cannot be verified without a database, by what `pg_tenant/journal-seals.md` says.

use pg_tenant_tests::shop::{A, B, shop};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::seal;

fn text<'a>(of: &'a Value, field: &str) -> Option<&'a str> {
    of[field].as_str()
}

fn number(of: &Value, field: &str) -> [u8; 8] {
    let text = text(of, field).expect("a number");
    text.parse::<i64>().map(i64::to_be_bytes).or_else(|_| text.parse::<u64>().map(u64::to_be_bytes)).expect("a number")
}

fn field(of: &Value, name: &str) -> Vec<u8> {
    let Some(text) = text(of, name) else { return vec![0] };
    [&[1], &u32::try_from(text.len()).expect("a length").to_be_bytes()[..], text.as_bytes()].concat()
}

fn bytes(of: &Value, field: &str) -> Vec<u8> {
    let hex = text(of, field).expect("a digest");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte")).collect()
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

fn line_digest(line: &Value) -> Vec<u8> {
    let texts = [
        "action",
        "object",
        "reason",
        "detail",
        "role",
        "session_role",
        "tenant_id",
        "actor",
        "impersonator",
        "request_id",
    ];
    let texts: Vec<u8> = texts.iter().flat_map(|name| field(line, name)).collect();
    sha256(&[&number(line, "id"), &number(line, "at"), &texts, &number(line, "xid8"), &number(line, "origin")])
}

fn place(of: &Value, xid: &str, id: &str) -> (u64, i64) {
    (text(of, xid).expect("a number").parse().expect("a xid8"), text(of, id).expect("a number").parse().expect("an id"))
}

/// `YYYY-MM`, from microseconds since 2000-01-01.
fn month(line: &Value) -> Option<String> {
    if matches!(text(line, "action"), Some("protect" | "unprotect")) {
        return None;
    }
    let at: i64 = text(line, "at").expect("a time").parse().expect("microseconds");
    let mut days = at.div_euclid(86_400_000_000);
    let (mut year, mut month) = (2000, 0);
    loop {
        let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        let length = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
        if days < length {
            return Some(format!("{year}-{:02}", month + 1));
        }
        days -= length;
        (year, month) = if month == 11 { (year + 1, 0) } else { (year, month + 1) };
    }
}

/// The first thing that is wrong.
fn verify(lines: &[Value], exported: &[Value]) -> Result<usize, String> {
    let (sealings, seals): (Vec<_>, Vec<_>) = exported.iter().partition(|one| one.get("seal").is_none());
    let mut of_tenant: std::collections::HashMap<Option<&str>, Vec<u8>> = Default::default();
    let mut covered = 0;
    let mut sealing_before = vec![0; 32];
    let mut begins: std::collections::HashMap<&str, (u64, i64)> = Default::default();
    for sealing in &sealings {
        let name = text(sealing, "sealing");
        let origin = text(sealing, "origin").expect("an origin");
        let after = begins.insert(origin, place(sealing, "upto", "upto_id")).unwrap_or((0, 0));
        let upto = begins[origin];
        let mut digests = Vec::new();
        let mut mine: Vec<_> = seals.iter().filter(|seal| text(seal, "sealing") == name).collect();
        mine.sort_by_key(|seal| (text(seal, "tenant_id"), text(seal, "month")));
        for seal in mine {
            let mut stretch: Vec<_> = lines
                .iter()
                .filter(|line| {
                    text(line, "origin") == Some(origin) && text(line, "tenant_id") == text(seal, "tenant_id")
                })
                .filter(|line| month(line).as_deref() == text(seal, "month"))
                .filter(|line| {
                    (after..=upto).contains(&place(line, "xid8", "id")) && place(line, "xid8", "id") != after
                })
                .collect();
            stretch.sort_by_key(|line| place(line, "xid8", "id"));
            covered += stretch.len();
            let of_lines: Vec<u8> = stretch.iter().flat_map(|line| line_digest(line)).collect();
            let previous = of_tenant.get(&text(seal, "tenant_id")).cloned().unwrap_or(vec![0; 32]);
            let made = sha256(&[
                b"pg_tenant seal 1",
                &field(seal, "tenant_id"),
                &number(seal, "seal"),
                &number(seal, "sealing"),
                &field(seal, "month"),
                &number(seal, "upto"),
                &number(seal, "upto_id"),
                &(stretch.len() as u64).to_be_bytes(),
                &number(seal, "sealed_at"),
                &previous,
                &of_lines,
            ]);
            if made != bytes(seal, "digest") {
                return Err(format!("seal {:?} of {:?}", text(seal, "seal"), text(seal, "tenant_id")));
            }
            digests.extend(&made);
            of_tenant.insert(text(seal, "tenant_id"), made);
        }
        let made = sha256(&[
            b"pg_tenant sealing 1",
            &number(sealing, "sealing"),
            &number(sealing, "origin"),
            &number(sealing, "upto"),
            &number(sealing, "upto_id"),
            &number(sealing, "lines"),
            &number(sealing, "seals"),
            &number(sealing, "sealed_at"),
            &field(sealing, "sealed_by"),
            &sealing_before,
            &digests,
        ]);
        if made != bytes(sealing, "digest") {
            return Err(format!("sealing {name:?}"));
        }
        sealing_before = made;
    }
    Ok(covered)
}

#[tokio::test]
async fn without_the_database() {
    let db = shop("exported").await;
    let (boss, admin) = (db.superuser().await, db.admin().await);
    for n in 0..3 {
        boss.run(&format!(
            "begin; set local timezone = 'Asia/Kathmandu'; set local datestyle = 'German';
             select tenant_internal.write_journal('noted', '{n}: \u{fc}\u{1f512}', nullif('why', t), '{{\"n\": 1.50, \"k\": [null, \"\u{e9}\"]}}', t)
                from unnest('{{{A},{B},null}}'::text[]) t, generate_series(1, 2); commit"
        ))
        .await;
        seal(&boss).await;
    }
    let json = |rows: Vec<Vec<Option<String>>>| -> Vec<Value> {
        rows.into_iter().flatten().flatten().map(|text| serde_json::from_str(&text).expect("JSON")).collect()
    };
    let mut lines = json(admin.rows("select * from tenant.export_journal()").await);
    let seals = json(admin.rows("select * from tenant.export_seals()").await);
    assert_eq!(verify(&lines, &seals), Ok(lines.len()));
    let of_a = json(admin.rows(&format!("select * from tenant.export_journal('{A}')")).await);
    assert!(of_a.len() == 6 && of_a.iter().all(|line| text(line, "tenant_id") == Some(A)));
    let line = lines.iter_mut().find(|line| text(line, "tenant_id") == Some(A)).expect("a line of A");
    line["reason"] = "another".into();
    assert_eq!(verify(&lines, &seals), Err(format!("seal Some(\"1\") of Some({A:?})")));
    lines.retain(|line| text(line, "reason") != Some("another"));
    assert!(verify(&lines, &seals).is_err());
}
