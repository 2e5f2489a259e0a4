//! What spans and metrics say in this thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Once;

use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// A span that has ended.
#[derive(Clone, Debug)]
pub struct Seen {
    pub name: &'static str,
    pub parent: Option<&'static str>,
    pub fields: BTreeMap<&'static str, String>,
}

impl Seen {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

thread_local! {
    /// What ended in this thread since somebody records.
    static SEEN: RefCell<Option<Vec<Seen>>> = const { RefCell::new(None) };
}

/// One subscriber for all threads, before any of them has a span: a thread without one that is the first to come to a
/// place in the code would turn that off for all the others.
fn subscribe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Registry::default().with(Keep)).expect("the only one"));
}

/// Those of this thread, from now on.
pub struct Spans(PhantomData<*const ()>);

impl Spans {
    pub fn record() -> Spans {
        subscribe();
        SEEN.set(Some(Vec::new()));
        Spans(PhantomData)
    }

    /// What ended since the last call, without what drivers say.
    pub fn take(&self) -> Vec<Seen> {
        SEEN.replace(Some(Vec::new())).unwrap_or_default()
    }
}

struct Keep;

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keep {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let span = cx.span(id).unwrap();
        let mut fields = Fields(BTreeMap::new());
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let span = cx.span(id).unwrap();
        values.record(span.extensions_mut().get_mut::<Fields>().unwrap());
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let span = cx.span(&id).unwrap();
        if span.metadata().target() == "pg_tenant_client" {
            let fields = span.extensions_mut().remove::<Fields>().unwrap().0;
            let seen = Seen { name: span.name(), parent: span.parent().map(|parent| parent.name()), fields };
            SEEN.with_borrow_mut(|kept| {
                if let Some(kept) = kept {
                    kept.push(seen);
                }
            });
        }
    }
}

struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// Runs on a current-thread runtime, whose calls all go to one recorder.
pub struct Metrics(DebuggingRecorder);

impl Metrics {
    pub fn new() -> &'static Metrics {
        subscribe();
        Box::leak(Box::new(Metrics(DebuggingRecorder::new())))
    }

    pub fn record(&'static self) -> metrics::LocalRecorderGuard<'static> {
        metrics::set_default_local_recorder(&self.0)
    }

    /// Every series with its value since the last call: a count, how many values a histogram has, or a gauge.
    pub fn take(&self) -> BTreeMap<String, u64> {
        let mut series = BTreeMap::new();
        for (key, _, _, value) in self.0.snapshotter().snapshot().into_vec() {
            let labels: Vec<_> = key.key().labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
            let name = format!("{}{{{}}}", key.key().name(), labels.join(","));
            let value = match (key.kind(), value) {
                (MetricKind::Counter, DebugValue::Counter(count)) => count,
                (MetricKind::Histogram, DebugValue::Histogram(values)) => values.len() as u64,
                (MetricKind::Gauge, DebugValue::Gauge(value)) => value.0 as u64,
                other => panic!("{name}: {other:?}"),
            };
            series.insert(name, value);
        }
        series
    }
}
