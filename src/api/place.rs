//! Where the policy service is: a unix socket of its own, by default one that clients find without being told.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::Address;

/// Where the policy service listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The first of [`candidates`] that can be made.
    #[default]
    Default,
    /// Nowhere.
    Off,
    /// A unix socket, written `unix:/path`.
    Unix(PathBuf),
}

/// Why a text is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// A TCP address.
    #[error("`{0}` is TCP; callers are not authenticated yet, so that only a unix socket will do")]
    Tcp(String),
    /// No address.
    #[error("`{0}` is no unix socket; write it like `unix:/run/verdict/admin.sock`, or `off`")]
    NoAddress(String),
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "off" => Ok(Self::Off),
            Ok(Address::Unix(path)) => Ok(Self::Unix(path)),
            Ok(Address::Tcp(_)) => Err(InvalidPlace::Tcp(text.to_owned())),
            Err(_) => Err(InvalidPlace::NoAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::Off => out.write_str("off"),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// The sockets that servers make, and clients look for, where none is named: in the folder that the user's session has
/// for such things (`XDG_RUNTIME_DIR`, XDG Base Directory Specification 0.8), then in the system's.
#[must_use]
pub fn candidates(runtime_dir: Option<&OsStr>) -> Vec<PathBuf> {
    // The specification: paths in these variables are absolute, others are to be ignored.
    let of_session = runtime_dir.map(Path::new).filter(|folder| folder.is_absolute());
    of_session.into_iter().chain([Path::new("/run")]).map(|folder| folder.join("verdict/admin.sock")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_unix_socket_or_nowhere() {
        assert_eq!("off".parse(), Ok(Place::Off));
        assert_eq!("unix:/a/b".parse(), Ok(Place::Unix("/a/b".into())));
        for text in ["127.0.0.1:9192", "localhost:1", "[::]:80"] {
            assert_eq!(text.parse::<Place>(), Err(InvalidPlace::Tcp(text.to_owned())));
        }
        for text in ["", "on", "unix:", "/run/verdict.sock", "example.com:80"] {
            assert_eq!(text.parse::<Place>(), Err(InvalidPlace::NoAddress(text.to_owned())));
        }
        for place in [Place::Off, Place::Unix("/a".into())] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
    }

    #[test]
    fn the_session_s_folder_goes_before_the_system_s() {
        let system = Path::new("/run/verdict/admin.sock");
        assert_eq!(candidates(None), [system]);
        assert_eq!(candidates(Some(OsStr::new("relative"))), [system]);
        let session = OsStr::new("/run/user/1000");
        assert_eq!(candidates(Some(session)), [Path::new("/run/user/1000/verdict/admin.sock"), system]);
    }
}
