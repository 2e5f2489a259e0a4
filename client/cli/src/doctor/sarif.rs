//! Findings in SARIF 2.1.0, which code hosts show beside a change.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;
use serde_sarif::sarif::Sarif;

use super::Finding;
use crate::output::Output;

/// Prints them.
pub fn print(findings: &[Finding]) -> io::Result<()> {
    Output::json(&report(findings)?)
}

fn report(findings: &[Finding]) -> io::Result<Sarif> {
    let rules: BTreeMap<&str, &Finding> = findings.iter().map(|finding| (&*finding.code, finding)).collect();
    let rules: Vec<_> = rules
        .into_iter()
        .map(|(code, finding)| {
            let why = finding.why.as_deref().unwrap_or(&finding.problem);
            json!({"id": code, "shortDescription": {"text": why}})
        })
        .collect();
    let results: Vec<_> = findings.iter().map(result).collect();
    let driver = json!({"name": "pg_tenant doctor", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    let run = json!({"tool": {"driver": driver}, "results": results});
    // The crate's types hold what the format allows.
    Ok(serde_json::from_value(json!({"version": "2.1.0", "runs": [run]}))?)
}

fn result(finding: &Finding) -> serde_json::Value {
    let level = match finding.level.as_str() {
        "error" => "error",
        "warn" => "warning",
        _ => "note",
    };
    let object = finding.object.as_deref().unwrap_or("database");
    let mut text = format!("{object}: {}", finding.problem);
    if let Some(fix) = &finding.fix {
        text += &format!("\n{fix}");
    }
    let location = json!({"logicalLocations": [{"fullyQualifiedName": object, "kind": "object"}]});
    json!({"ruleId": finding.code, "level": level, "message": {"text": text}, "locations": [location]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_result_with_its_rule() {
        let finding = |code: &str, level: &str| Finding {
            code: code.into(),
            level: level.into(),
            object: Some("public.orders".into()),
            problem: "is open".into(),
            why: Some("nobody protects it".into()),
            fix: None,
        };
        let report =
            report(&[finding("T001", "error"), finding("T001", "error"), finding("T009", "warn")]).expect("a report");
        assert_eq!(report.runs[0].results.as_ref().map(Vec::len), Some(3));
        let rules = report.runs[0].tool.driver.rules.as_ref().expect("rules");
        assert_eq!(rules.iter().map(|rule| &*rule.id).collect::<Vec<_>>(), ["T001", "T009"]);
    }
}
