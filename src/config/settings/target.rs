//! The tenant of an environment: the embedded one, or a host.
//!
//! Pure; a slip such as an address with `https://` is told with the host that was meant.

use crate::config::project::Placed;
use crate::error::{Problem, Problems};
use crate::text::is_host_label;

/// The tenant of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The embedded one.
    Sandbox,
    /// A host, or host:port, by HTTPS.
    Host(String),
    /// None is given: enough for what is done offline.
    Unnamed,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "sandbox",
            Self::Host(host) => host,
            Self::Unnamed => "no tenant",
        })
    }
}

impl Target {
    /// Reads what stands under a key of the project file.
    pub(super) fn read(tenant: &Placed<String>, key: &str, problems: &mut Problems) -> Option<Self> {
        if tenant.value == "sandbox" {
            return Some(Self::Sandbox);
        }
        if is_host(&tenant.value) {
            return Some(Self::Host(tenant.value.to_lowercase()));
        }
        let stripped = tenant.value.trim();
        let stripped = stripped.split_once("://").map_or(stripped, |(_, rest)| rest);
        let host = stripped.split(['/', '?', '#']).next().unwrap_or_default();
        let right = if is_host(host) { host } else { "my-tenant.eu.auth0.com" };
        let message = format!("`{}` is no tenant: it takes a host, or host:port", tenant.value);
        let problem = Problem::error(message).at(Some(tenant.origin.clone()));
        problems.push(problem.hint(format!("write `{key}: {right}`, or `{key}: sandbox` for the embedded one")));
        None
    }
}

/// Tells whether a text is a host name or an address, with or without a port.
fn is_host(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let has_dot_or_port = host.contains('.') || port.is_some();
    has_dot_or_port
        && host.split('.').all(is_host_label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
