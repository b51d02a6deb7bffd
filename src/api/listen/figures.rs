//! How a door's connections fare: how many are open, and why others were not.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use tokio_rustls::rustls::{self, CertificateError};

/// Why a connection was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// `server.max_connections`.
    Full,
    /// `server.max_connections_per_address`.
    FullAddress,
    /// The protocol was broken too often from that address.
    Offender,
    /// The system gave none: file descriptors, memory.
    Accept,
    /// `server.handshake_timeout`.
    Silent,
    /// Answers were there, and the client read none.
    Unread,
    /// No certificate was shown, where one must be.
    NoCertificate,
    /// A certificate that has ended, or has not begun.
    Expired,
    /// One that a list revokes, or one of an authority without a list.
    Revoked,
    /// One of an authority that is not known.
    UnknownAuthority,
    /// One that is bad in another way.
    BadCertificate,
    /// Something else than TLS.
    NoTls,
    /// No version, suite or protocol in common.
    Incompatible,
    /// The client refused, the server's certificate for instance.
    ByClient,
    /// Anything else of TLS.
    Tls,
}

/// How a door's connections fare.
#[derive(Debug, Default)]
pub struct Figures {
    open: AtomicUsize,
    refused: [AtomicU64; Refused::ALL.len()],
}

impl Refused {
    const ALL: [Self; 15] = [
        Self::Full,
        Self::FullAddress,
        Self::Offender,
        Self::Accept,
        Self::Silent,
        Self::Unread,
        Self::NoCertificate,
        Self::Expired,
        Self::Revoked,
        Self::UnknownAuthority,
        Self::BadCertificate,
        Self::NoTls,
        Self::Incompatible,
        Self::ByClient,
        Self::Tls,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Full => "max_connections",
            Self::FullAddress => "max_connections_per_address",
            Self::Offender => "protocol_broken",
            Self::Accept => "accept_failed",
            Self::Silent => "handshake_timeout",
            Self::Unread => "unread",
            Self::NoCertificate => "tls_no_certificate",
            Self::Expired => "tls_expired",
            Self::Revoked => "tls_revoked",
            Self::UnknownAuthority => "tls_unknown_authority",
            Self::BadCertificate => "tls_bad_certificate",
            Self::NoTls => "tls_none",
            Self::Incompatible => "tls_incompatible",
            Self::ByClient => "tls_refused_by_client",
            Self::Tls => "tls_other",
        }
    }

    /// Why a handshake failed; `None` where the client just left.
    pub(super) fn of_handshake(error: &std::io::Error) -> Option<Self> {
        use CertificateError as C;
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        Some(match error {
            rustls::Error::NoCertificatesPresented => Self::NoCertificate,
            rustls::Error::InvalidCertificate(cause) => match cause {
                C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. } => Self::Expired,
                C::Revoked | C::UnknownRevocationStatus => Self::Revoked,
                C::UnknownIssuer => Self::UnknownAuthority,
                _ => Self::BadCertificate,
            },
            rustls::Error::InvalidMessage(_) => Self::NoTls,
            rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => Self::Incompatible,
            rustls::Error::AlertReceived(_) => Self::ByClient,
            _ => Self::Tls,
        })
    }
}

impl Figures {
    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// How many were not served, by why.
    #[must_use]
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        Refused::ALL.iter().zip(&self.refused).map(|(why, count)| (why.name(), count.load(Relaxed))).collect()
    }

    pub(super) fn count(&self, why: Refused) {
        if let Some((_, count)) = Refused::ALL.iter().zip(&self.refused).find(|(known, _)| **known == why) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }
}
