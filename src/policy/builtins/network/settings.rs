//! What policies may ask of the network.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

/// Settings of `http.send` and `net.lookup_ip_addr`. Without hosts, both are off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSettings {
    /// The hosts that may be asked.
    pub allow: Hosts,
    /// How long a call may take, redirects included.
    pub timeout: Duration,
    /// The largest body of a response, in bytes.
    pub max_response_bytes: usize,
    /// How much responses are kept, in bytes; 0 keeps none.
    pub cache_bytes: usize,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            allow: Hosts::default(),
            timeout: Duration::from_secs(2),
            max_response_bytes: 1 << 20,
            cache_bytes: 8 << 20,
        }
    }
}

/// A list of hosts: `api.example.com`, `api.example.com:8443`, `*.example.com`, `10.0.0.7`, `[::1]:8080`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// In lower case; an address in its canonical form, without brackets.
    host: String,
    /// Whether what stands before `.host` may be anything.
    below: bool,
    port: Option<u16>,
}

/// A host that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host")]
pub struct InvalidHost(String);

impl Hosts {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are in another list, too; of `*.example.com` it is not known what it has.
    #[must_use]
    pub fn only(mut self, listed: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|pattern| !pattern.below && listed(&pattern.host));
        self
    }

    /// Whether a host (of a URL: lower case, an address without brackets) may be asked at a port.
    pub(super) fn allows(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|pattern| pattern.port.is_none_or(|only| only == port) && pattern.is(host))
    }

    /// Whether a host may be asked at any port.
    pub(super) fn allows_name(&self, host: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is(host))
    }

    /// Whether an address is in the list by itself, so that also a private one may be connected to. `localhost` names
    /// the loopback addresses.
    pub(super) fn names(&self, host: &str, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.allows(&address.to_string(), port)
            || (address.is_loopback() && host == "localhost" && self.allows(host, port))
    }
}

impl Pattern {
    fn is(&self, host: &str) -> bool {
        if !self.below {
            return self.host == host;
        }
        host.strip_suffix(self.host.as_str()).is_some_and(|before| before.len() > 1 && before.ends_with('.'))
    }
}

impl FromStr for Hosts {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Pattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let invalid = || InvalidHost(text.chars().take(80).collect());
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        if let Ok(address) = rest.parse::<IpAddr>() {
            let host = address.to_canonical().to_string();
            return if below { Err(invalid()) } else { Ok(Self { host, below, port: None }) };
        }
        let (host, port) = match rest.rsplit_once(':').filter(|_| !rest.ends_with(']')) {
            Some((host, port)) => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse::<u16>().ok().filter(|port| digits && *port > 0);
                (host, Some(port.ok_or_else(invalid)?))
            }
            None => (rest, None),
        };
        // As URLs are read, so that both are compared in one form.
        match url::Host::parse(host).map_err(|_| invalid())? {
            url::Host::Domain(name) if !name.is_empty() && !name.contains('*') => {
                Ok(Self { host: name.trim_end_matches('.').to_owned(), below, port })
            }
            url::Host::Ipv4(address) if !below => Ok(Self { host: address.to_string(), below, port }),
            url::Host::Ipv6(address) if !below => {
                Ok(Self { host: IpAddr::V6(address).to_canonical().to_string(), below, port })
            }
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Pattern { host, below, port }) in self.0.iter().enumerate() {
            out.write_str(if number > 0 { ", " } else { "" })?;
            out.write_str(if *below { "*." } else { "" })?;
            match port {
                Some(port) if host.contains(':') => write!(out, "[{host}]:{port}")?,
                Some(port) => write!(out, "{host}:{port}")?,
                None => out.write_str(host)?,
            }
        }
        Ok(())
    }
}
