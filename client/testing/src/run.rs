//! The calls, and what is asked of their answers.

use std::collections::BTreeMap;
use std::fmt;

use http::Response;

use crate::caller::Caller;
use crate::findings::{Finding, Leak};
use crate::leaks::{difference, discloses};
use crate::route::Route;
use crate::target::Target;

/// What came of it.
#[derive(Clone, Debug, Default)]
#[must_use = "a report is to be looked at"]
pub struct Report {
    findings: Vec<Finding>,
    calls: usize,
    foreign: usize,
}

impl Report {
    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many requests were sent.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Whether nothing was found, and something was tried.
    pub fn is_isolated(&self) -> bool {
        self.findings.is_empty() && self.foreign > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { findings, calls, foreign } = self;
        writeln!(f, "{} findings in {calls} calls, {foreign} of them with ids of another tenant", findings.len())?;
        if *foreign == 0 {
            writeln!(f, "- no route takes an id, so that this proves nothing")?;
        }
        findings.iter().try_for_each(|finding| writeln!(f, "- {finding}"))
    }
}

/// Calls every route as [described](super), and says what it found.
pub async fn isolation(api: impl Target, callers: [&Caller; 2], routes: &[Route]) -> Report {
    let mut run = Run { api: &api, routes, report: Report::default() };
    let both = [(callers[0], callers[1]), (callers[1], callers[0])];
    for route in routes {
        let mut described = true;
        for (me, you) in both {
            if let Some(why) = misdescribed(route, me, you) {
                run.find(route, me, Leak::NotCallable(why));
                described = false;
            }
        }
        if !described {
            continue;
        }
        for (me, you) in both {
            run.with_ids_of_the_other(route, me, you).await;
        }
        for (me, you) in both {
            run.with_ones_own(route, me, you).await;
        }
    }
    run.report
}

fn misdescribed(route: &Route, me: &Caller, you: &Caller) -> Option<String> {
    if let Some(name) = route.unknown(me).first() {
        return Some(format!("{} has no id {{{name}}}", me.name));
    }
    let same = |name: &String| me.ids.get(name) == you.ids.get(name);
    let same = route.ids(me).into_iter().find(same);
    same.map(|name| format!("both have the same {{{name}}}, so that this proves nothing"))
}

struct Run<'r, T> {
    api: &'r T,
    routes: &'r [Route],
    report: Report,
}

type Ids = BTreeMap<String, String>;

impl<T: Target> Run<'_, T> {
    async fn with_ids_of_the_other(&mut self, route: &Route, me: &Caller, you: &Caller) {
        for names in subsets(&route.ids(me)) {
            let before = if route.reads() { Vec::new() } else { self.what_is_read(you).await };
            let (theirs, absent) = (replaced(me, &names, |name| you.ids[name].clone()), {
                replaced(me, &names, |name| me.absent_for(you, name))
            });
            self.report.foreign += 1;
            let Some(foreign) = self.call(route, me, &theirs).await else { continue };
            if foreign.status() != route.refused {
                self.find(route, me, Leak::NotRefused { ids: names.clone(), status: foreign.status() });
            }
            if let Some(what) = discloses(&foreign, you, None) {
                self.find(route, me, Leak::Disclosed { what });
            }
            let Some(nobodys) = self.call(route, me, &absent).await else { continue };
            let asked = |ids: &Ids| names.iter().map(|name| ids[name].clone()).collect::<Vec<_>>();
            if let Some(difference) = difference((&foreign, &asked(&theirs)), (&nobodys, &asked(&absent))) {
                self.find(route, me, Leak::Distinguishable { ids: names.clone(), difference });
            }
            for (seen, was) in before {
                if self.read(&seen, you).await.is_some_and(|is| is != was) {
                    self.find(route, me, Leak::Changed { ids: names.clone(), seen: seen.to_string() });
                }
            }
        }
    }

    async fn with_ones_own(&mut self, route: &Route, me: &Caller, you: &Caller) {
        let Some(own) = self.call(route, me, &me.ids).await else { return };
        if !own.status().is_success() {
            self.find(route, me, Leak::OwnRequestFailed { status: own.status() });
        }
        let lists = route.lists();
        if let Some(what) = discloses(&own, you, lists) {
            self.find(route, me, Leak::Disclosed { what });
        }
        let has_something = !me.markers.is_empty() || !me.ids.is_empty();
        // What is below an id need not be a list, nor hold anything.
        let must_list = lists.is_some() && route.ids(me).is_empty();
        if must_list && own.status().is_success() && has_something && discloses(&own, me, lists).is_none() {
            self.find(route, me, Leak::OwnMissing);
        }
    }

    /// What the tenant reads on each route that gives the same twice.
    async fn what_is_read(&mut self, caller: &Caller) -> Vec<(Route, Vec<u8>)> {
        let mut read = Vec::new();
        for route in self.routes.iter().filter(|route| route.reads() && route.unknown(caller).is_empty()) {
            if let Some(first) = self.read(route, caller).await
                && self.read(route, caller).await.as_ref() == Some(&first)
            {
                read.push((route.clone(), first));
            }
        }
        read
    }

    async fn read(&mut self, route: &Route, caller: &Caller) -> Option<Vec<u8>> {
        let answer = self.call(route, caller, &caller.ids).await?;
        Some([answer.status().as_str().as_bytes(), answer.body()].concat())
    }

    async fn call(&mut self, route: &Route, caller: &Caller, ids: &Ids) -> Option<Response<Vec<u8>>> {
        self.report.calls += 1;
        let answer = match route.request(caller, ids) {
            Ok(request) => self.api.call(request).await,
            Err(why) => Err(why.into()),
        };
        match answer {
            Ok(answer) => Some(answer),
            Err(why) => {
                self.find(route, caller, Leak::NotCallable(format!("it cannot be called: {}", with_causes(&*why))));
                None
            }
        }
    }

    fn find(&mut self, route: &Route, caller: &Caller, leak: Leak) {
        let finding = Finding { route: route.to_string(), caller: caller.name.clone(), leak };
        if !self.report.findings.contains(&finding) {
            self.report.findings.push(finding);
        }
    }
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// One's own ids, but for these names.
fn replaced(me: &Caller, names: &[String], by: impl Fn(&str) -> String) -> Ids {
    let mut ids = me.ids.clone();
    ids.extend(names.iter().map(|name| (name.clone(), by(name))));
    ids
}

/// Every choice of at least one of the names.
fn subsets(names: &[String]) -> Vec<Vec<String>> {
    let chosen = |choice: usize| names.iter().enumerate().filter(move |(at, _)| choice >> at & 1 == 1);
    (1..1usize << names.len().min(16)).map(|choice| chosen(choice).map(|(_, name)| name.clone()).collect()).collect()
}
