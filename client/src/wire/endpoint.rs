//! The addresses behind a configuration, one by one, so that it is known which of them a connection has reached.
//!
//! A name may stand for several addresses, and a configuration for several hosts. A request to cancel is of use only
//! where the connection is: asked for by name, another server may answer, which knows nothing of the statement.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_postgres::config::{Host, LoadBalanceHosts};
use tokio_postgres::{CancelToken, Config, NoTls};

use crate::wire::backoff::random;
use crate::wire::patient::Patient;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The address, and the name it is known under, which encryption checks.
    Tcp(SocketAddr, Option<String>),
    /// The directory of the socket.
    Unix(PathBuf, u16),
}

impl Endpoint {
    /// The same configuration for this address alone.
    pub(crate) fn only(&self, config: &Config) -> Config {
        let mut only = without_hosts(config);
        match self {
            Endpoint::Tcp(address, name) => {
                if let Some(name) = name {
                    only.host(name);
                }
                only.hostaddr(address.ip()).port(address.port());
            }
            Endpoint::Unix(directory, port) => {
                only.host_path(directory).port(*port);
            }
        }
        only
    }

    /// Sends a request to cancel, without encryption.
    pub(crate) async fn cancel(&self, token: CancelToken) {
        // Nobody is left to tell. The connection is closed afterwards in any case.
        let _ = match self {
            Endpoint::Tcp(address, _) => match TcpStream::connect(address).await {
                Ok(stream) => token.cancel_query_raw(Patient(stream), NoTls).await,
                Err(_) => return,
            },
            Endpoint::Unix(directory, port) => {
                match UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).await {
                    Ok(stream) => token.cancel_query_raw(Patient(stream), NoTls).await,
                    Err(_) => return,
                }
            }
        };
    }
}

/// A host of the configuration, before its name is looked up.
pub(crate) enum Candidate {
    Found(Endpoint),
    Named(String, u16),
}

impl Candidate {
    /// Its addresses, in the order in which they are tried.
    pub(crate) async fn endpoints(self, config: &Config) -> io::Result<Vec<Endpoint>> {
        let (name, port) = match self {
            Candidate::Found(endpoint) => return Ok(vec![endpoint]),
            Candidate::Named(name, port) => (name, port),
        };
        let mut endpoints: Vec<Endpoint> =
            lookup_host((&*name, port)).await?.map(|address| Endpoint::Tcp(address, Some(name.clone()))).collect();
        if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            shuffle(&mut endpoints);
        }
        Ok(endpoints)
    }
}

/// The hosts of a configuration, in the order in which they are tried. `None` where its numbers of hosts, addresses and
/// ports do not fit: the driver has the words for that.
pub(crate) fn candidates(config: &Config) -> Option<Vec<Candidate>> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    let fits = |len: usize| len == 0 || len == count;
    if count == 0 || !fits(hosts.len()) || !fits(addresses.len()) || !(ports.len() <= 1 || ports.len() == count) {
        return None;
    }
    let candidate = |at: usize| {
        let port = ports.get(at).or_else(|| ports.first()).copied().unwrap_or(5432);
        let known = |ip: IpAddr, name: Option<String>| Candidate::Found(Endpoint::Tcp((ip, port).into(), name));
        match (hosts.get(at), addresses.get(at)) {
            (Some(Host::Tcp(name)), Some(ip)) => known(*ip, Some(name.clone())),
            (_, Some(ip)) => known(*ip, None),
            (Some(Host::Unix(directory)), None) => Candidate::Found(Endpoint::Unix(directory.clone(), port)),
            (Some(Host::Tcp(name)), None) => match name.parse() {
                Ok(ip) => known(ip, Some(name.clone())),
                Err(_) => Candidate::Named(name.clone(), port),
            },
            (None, None) => unreachable!("there are as many as the longer list"),
        }
    };
    let mut candidates: Vec<Candidate> = (0..count).map(candidate).collect();
    if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
        shuffle(&mut candidates);
    }
    Some(candidates)
}

/// Everything but hosts, addresses and ports.
fn without_hosts(config: &Config) -> Config {
    let mut bare = Config::new();
    if let Some(user) = config.get_user() {
        bare.user(user);
    }
    if let Some(password) = config.get_password() {
        bare.password(password);
    }
    if let Some(dbname) = config.get_dbname() {
        bare.dbname(dbname);
    }
    if let Some(options) = config.get_options() {
        bare.options(options);
    }
    if let Some(name) = config.get_application_name() {
        bare.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        bare.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        bare.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        bare.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        bare.keepalives_retries(retries);
    }
    bare.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs());
    bare
}

fn shuffle<T>(of: &mut [T]) {
    for last in (1..of.len()).rev() {
        let with = (random() * (last + 1) as f64) as usize;
        of.swap(last, with.min(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(config: &str) -> Vec<Endpoint> {
        let known = |candidate| match candidate {
            Candidate::Found(endpoint) => endpoint,
            Candidate::Named(name, port) => panic!("{name}:{port} is a name"),
        };
        candidates(&config.parse().unwrap()).unwrap().into_iter().map(known).collect()
    }

    #[test]
    fn hosts_and_ports_go_together() {
        let ends = known("host=127.0.0.1,127.0.0.2,/tmp port=1,2,3");
        assert_eq!(ends[0], Endpoint::Tcp("127.0.0.1:1".parse().unwrap(), Some("127.0.0.1".to_owned())));
        assert_eq!(ends[1], Endpoint::Tcp("127.0.0.2:2".parse().unwrap(), Some("127.0.0.2".to_owned())));
        assert_eq!(ends[2], Endpoint::Unix("/tmp".into(), 3));
        assert_eq!(
            known("host=db hostaddr=10.0.0.1")[0],
            Endpoint::Tcp("10.0.0.1:5432".parse().unwrap(), Some("db".to_owned()))
        );
        for none in ["user=a", "host=a,b port=1,2,3", "host=a,b hostaddr=1.1.1.1"] {
            assert!(candidates(&none.parse().unwrap()).is_none(), "{none}");
        }
    }

    #[test]
    fn nothing_of_the_configuration_is_lost_but_where_it_is() {
        let text = "user=u password=p dbname=d options='-c a=b' application_name=n sslmode=require host=db port=1 \
            connect_timeout=3 tcp_user_timeout=4 keepalives=1 keepalives_idle=5 keepalives_interval=6 keepalives_retries=7 \
            target_session_attrs=read-write channel_binding=require";
        let config: Config = text.parse().unwrap();
        let end = Endpoint::Tcp("10.0.0.1:9".parse().unwrap(), Some("db".to_owned()));
        let mut whole = text.parse::<Config>().unwrap();
        let only = end.only(&config);
        assert_eq!((only.get_hostaddrs().len(), only.get_ports()), (1, &[9][..]));
        // As the same configuration, but for the address.
        whole.hostaddr("10.0.0.1".parse().unwrap());
        let text = |config: &Config| format!("{config:?}").replace("port: [1]", "port: [9]");
        assert_eq!(text(&only), text(&whole));
    }
}
