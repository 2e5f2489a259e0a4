//! A subscriber and a recorder of this thread that keep what they are told.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
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

/// Those of this thread, from now on.
pub struct Spans {
    seen: Arc<Mutex<Vec<Seen>>>,
    _guard: DefaultGuard,
}

impl Spans {
    pub fn record() -> Spans {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let subscriber = Registry::default().with(Keep(seen.clone()));
        Spans { seen, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// What ended since the last call, without what drivers say.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

struct Keep(Arc<Mutex<Vec<Seen>>>);

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
            self.0.lock().unwrap().push(seen);
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
        Box::leak(Box::new(Metrics(DebuggingRecorder::new())))
    }

    pub fn record(&'static self) -> metrics::LocalRecorderGuard<'static> {
        metrics::set_default_local_recorder(&self.0)
    }

    /// Every series with its value since the last call: a count, or how many values a histogram has.
    pub fn take(&self) -> BTreeMap<String, u64> {
        let mut series = BTreeMap::new();
        for (key, _, _, value) in self.0.snapshotter().snapshot().into_vec() {
            let labels: Vec<_> = key.key().labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
            let name = format!("{}{{{}}}", key.key().name(), labels.join(","));
            let value = match (key.kind(), value) {
                (MetricKind::Counter, DebugValue::Counter(count)) => count,
                (MetricKind::Histogram, DebugValue::Histogram(values)) => values.len() as u64,
                other => panic!("{name}: {other:?}"),
            };
            series.insert(name, value);
        }
        series
    }
}
