//! A job's payload with its tenant around it, with the feature `envelope`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind};
use crate::tenant::ambient;
use crate::tenant::identity::Tenant;

/// A job's payload, with its tenant, actor, trace and number of attempt. An envelope cannot be made without a tenant,
/// and one that names none is refused when it is read.
///
/// It is not signed: whoever can write to the queue can name any tenant.
///
/// ```
/// use pg_tenant_client::{Envelope, Tenant};
///
/// let acme: Tenant = "acme".parse().unwrap();
/// let sent = Envelope::new(&acme.with_actor("ann"), "send the invoices").to_vec().unwrap();
///
/// let job: Envelope<String> = Envelope::from_slice(&sent).unwrap();
/// assert_eq!((job.tenant().actor(), job.attempt()), (Some("ann"), 1));
/// assert!(Envelope::<String>::from_slice(br#"{"payload":"send the invoices"}"#).unwrap_err().is_no_tenant());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<T> {
    tenant: Tenant,
    trace: Option<String>,
    attempt: u32,
    payload: T,
}

/// The JSON.
#[derive(Serialize, Deserialize)]
struct Wire<T> {
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(default = "first")]
    attempt: u32,
    payload: T,
}

fn first() -> u32 {
    1
}

impl<T> Envelope<T> {
    /// A job of this tenant. Its attempt is 1.
    pub fn new(tenant: &Tenant, payload: T) -> Envelope<T> {
        Envelope { tenant: tenant.clone(), trace: None, attempt: first(), payload }
    }

    /// A job of the running task's tenant (see [`ambient`]).
    ///
    /// # Errors
    /// `TN001` where the task has none.
    pub fn current(payload: T) -> Result<Envelope<T>, Error> {
        Ok(Envelope::new(&ambient::current()?, payload))
    }

    /// Sets the trace that it belongs to: the value of the header `traceparent` of W3C Trace Context.
    pub fn with_trace(mut self, traceparent: impl Into<String>) -> Self {
        self.trace = Some(traceparent.into());
        self
    }

    /// The same job for another attempt: [`attempt`](Self::attempt) is one higher.
    pub fn again(mut self) -> Self {
        self.attempt = self.attempt.saturating_add(1);
        self
    }

    /// The tenant, with actor and role.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The trace that it belongs to, as in `traceparent`; `None` where there is none.
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The payload.
    pub fn payload(&self) -> &T {
        &self.payload
    }

    /// The tenant and the payload.
    pub fn open(self) -> (Tenant, T) {
        (self.tenant, self.payload)
    }

    /// Runs a closure with the payload, and with the job's tenant as that of the task (see [`ambient`]).
    pub async fn run<R>(self, work: impl AsyncFnOnce(T) -> R) -> R {
        ambient::scope(self.tenant, async { work(self.payload).await }).await
    }
}

impl<T: Serialize> Envelope<T> {
    /// As JSON.
    ///
    /// # Errors
    /// The payload cannot be written as JSON.
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self)
            .map_err(|why| Error::new(Kind::Driver, format!("the job cannot be written: {why}")).with_source(why))
    }
}

impl<T: DeserializeOwned> Envelope<T> {
    /// From JSON.
    ///
    /// # Errors
    /// `TN001` where it names no tenant, `TN004` where the name is no tenant id; an error without SQLSTATE where the
    /// JSON is no envelope with such a payload.
    pub fn from_slice(json: &[u8]) -> Result<Envelope<T>, Error> {
        let wire: Wire<T> = serde_json::from_slice(json)
            .map_err(|why| Error::new(Kind::Driver, format!("the job cannot be read: {why}")).with_source(why))?;
        wire.seal()
    }
}

impl<T> Wire<T> {
    fn seal(self) -> Result<Envelope<T>, Error> {
        let mut tenant: Tenant =
            self.tenant.ok_or_else(Error::no_tenant_in_envelope)?.parse().map_err(Error::malformed)?;
        tenant.actor = self.actor.map(Into::into);
        tenant.role = self.role.map(Into::into);
        Ok(Envelope { tenant, trace: self.trace, attempt: self.attempt.max(first()), payload: self.payload })
    }
}

impl<T: Serialize> Serialize for Envelope<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Wire {
            tenant: Some(self.tenant.id.to_string()),
            actor: text(self.tenant.actor()),
            role: text(self.tenant.role()),
            trace: text(self.trace()),
            attempt: self.attempt,
            payload: &self.payload,
        }
        .serialize(serializer)
    }
}

/// For libraries of queues, which deserialize jobs themselves. In code of your own,
/// [`from_slice`](Envelope::from_slice) gives the clearer error.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Envelope<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Envelope<T>, D::Error> {
        Wire::deserialize(deserializer)?.seal().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Envelope<u8>, Error> {
        Envelope::from_slice(json.as_bytes())
    }

    #[test]
    fn one_without_a_tenant_is_refused() {
        for none in [r#"{"payload":1}"#, r#"{"tenant":null,"payload":1}"#] {
            let error = read(none).unwrap_err();
            assert!(error.is_no_tenant() && error.hint().is_some(), "{error}");
            assert!(serde_json::from_str::<Envelope<u8>>(none).unwrap_err().to_string().contains("no tenant"));
        }
        for malformed in ["", "a b", "*system write", "acme'; drop table orders"] {
            let json = format!(r#"{{"tenant":"{malformed}","payload":1}}"#);
            assert!(read(&json).unwrap_err().is_malformed_id(), "{malformed}");
        }
        for other in ["", "{}", "1", r#"{"tenant":7,"payload":1}"#, r#"{"tenant":"a","tenant":"b","payload":1}"#] {
            assert!(read(other).unwrap_err().code().is_none(), "{other}");
        }
        assert_eq!(read(r#"{"tenant":"acme","payload":1}"#).unwrap(), Envelope::new(&"acme".parse().unwrap(), 1));
    }

    #[tokio::test]
    async fn it_says_all_that_it_said() {
        let ann = "acme".parse::<Tenant>().unwrap().with_actor("ann").with_role("clerk");
        let sent =
            Envelope::new(&ann, vec![1, 2]).with_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let got: Envelope<Vec<i32>> = Envelope::from_slice(&sent.clone().again().again().to_vec().unwrap()).unwrap();
        assert_eq!((got.attempt(), got.trace(), got.tenant()), (3, sent.trace(), &ann));
        assert_eq!(got.clone().open(), (ann.clone(), vec![1, 2]));
        let inside = got.run(async |payload| (payload.len(), ambient::current().unwrap())).await;
        assert_eq!(inside, (2, ann.clone()));
        assert!(Envelope::current(1).unwrap_err().is_no_tenant());
        assert_eq!(ambient::scope(ann.clone(), async { Envelope::current(1) }).await.unwrap(), Envelope::new(&ann, 1));
    }
}
