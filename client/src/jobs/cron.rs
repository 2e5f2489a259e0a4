//! When a schedule is due: its cron expression in its time zone, and what is done about times that were missed.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;

/// A time that is missed by more than this was missed by an outage.
const LATE_SECONDS: i64 = 60;
/// How many times are looked at: whoever was away for longer catches up in several turns.
const MOST: usize = 10_000;

/// What is done about times that were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CatchUp {
    Once,
    All,
    None,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Fire(SystemTime),
    /// It was missed, and is passed over.
    Skip(SystemTime),
    /// Nothing before then; none where it is never due again.
    Later(Option<SystemTime>),
}

impl CatchUp {
    pub(super) fn read(text: &str) -> Option<CatchUp> {
        match text {
            "once" => Some(CatchUp::Once),
            "all" => Some(CatchUp::All),
            "none" => Some(CatchUp::None),
            _ => None,
        }
    }
}

/// What a schedule that was last due then does now.
///
/// # Errors
/// An expression or a time zone that cannot be read, in words.
pub(super) fn due(cron: &str, zone: &str, catch_up: CatchUp, last: SystemTime, now: SystemTime) -> Result<Due, String> {
    let zone: Tz = zone.parse().map_err(|_| format!("there is no time zone \"{zone}\""))?;
    let pattern: Cron = cron.parse().map_err(|why| format!("\"{cron}\" is no cron expression: {why}"))?;
    let (now, last) = (DateTime::<Utc>::from(now), DateTime::<Utc>::from(last).with_timezone(&zone));
    let mut times = pattern.iter_after(last).take(MOST).map(|time| time.with_timezone(&Utc));
    let Some(first) = times.next() else { return Ok(Due::Later(None)) };
    if first > now {
        return Ok(Due::Later(Some(first.into())));
    }
    let latest = || times.take_while(|time| *time <= now).last().unwrap_or(first);
    Ok(match catch_up {
        CatchUp::All => Due::Fire(first.into()),
        CatchUp::Once => Due::Fire(latest().into()),
        CatchUp::None => {
            let latest = latest();
            if (now - latest).num_seconds() <= LATE_SECONDS {
                Due::Fire(latest.into())
            } else {
                Due::Skip(latest.into())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        text.parse::<DateTime<Utc>>().expect("a time").into()
    }

    fn zurich(cron: &str, catch_up: CatchUp, last: &str, now: &str) -> Due {
        due(cron, "Europe/Zurich", catch_up, at(last), at(now)).expect("it can be read")
    }

    #[test]
    fn an_outage_is_caught_up_by_the_rule() {
        let days = ("0 3 * * *", "2026-06-01T01:00:00Z", "2026-06-04T12:00:00Z");
        let now = |catch_up| zurich(days.0, catch_up, days.1, days.2);
        assert_eq!(now(CatchUp::Once), Due::Fire(at("2026-06-04T01:00:00Z")));
        assert_eq!(now(CatchUp::All), Due::Fire(at("2026-06-02T01:00:00Z")));
        assert_eq!(now(CatchUp::None), Due::Skip(at("2026-06-04T01:00:00Z")));
        let in_time = zurich("0 3 * * *", CatchUp::None, "2026-06-03T01:00:00Z", "2026-06-04T01:00:30Z");
        assert_eq!(in_time, Due::Fire(at("2026-06-04T01:00:00Z")));
        let before = zurich("0 3 * * *", CatchUp::Once, "2026-06-04T01:00:00Z", "2026-06-04T12:00:00Z");
        assert_eq!(before, Due::Later(Some(at("2026-06-05T01:00:00Z"))));
    }

    /// A day has one such time, the day that has the hour twice and the day that lacks it too.
    #[test]
    fn the_clocks_change() {
        for (last, now, times) in
            [("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", 1), ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", 1)]
        {
            let (mut last, mut fired) = (at(last), 0);
            while let Due::Fire(time) = due("30 2 * * *", "Europe/Zurich", CatchUp::All, last, at(now)).expect("read") {
                (last, fired) = (time, fired + 1);
            }
            assert_eq!(fired, times, "{now}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (cron, zone) in [("61 * * * *", "UTC"), ("* * * * *", "Mars/Olympus")] {
            assert!(due(cron, zone, CatchUp::Once, at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z")).is_err());
        }
    }
}
