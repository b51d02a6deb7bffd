//! A unix socket for the server's own user and root: its folder, its lock, and who may connect.

use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

use super::{Listener, SocketFile};

/// The socket's lock: a file beside it, held while the server lives and removed at its end. Without it, two servers that
/// start at once could each take the other's socket for a stale one.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

/// Why there is no private socket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody listens there.
    #[error("can't listen on `unix:{}`: another server does; stop that one, or choose another socket or `off`", .0.display())]
    Taken(PathBuf),
    /// Others could put a socket of theirs in its place.
    #[error(
        "can't listen on `unix:{}`: others can write to its folder (mode {mode:o}); make that 700, or name a folder that does not exist yet",
        path.display()
    )]
    OpenFolder {
        /// The socket.
        path: PathBuf,
        /// The folder's permissions.
        mode: u32,
    },
    /// The folder is somebody else's.
    #[error("can't listen on `unix:{}`: its folder belongs to another user ({owner})", path.display())]
    ForeignFolder {
        /// The socket.
        path: PathBuf,
        /// The folder's owner.
        owner: u32,
    },
    /// There is something else.
    #[error("can't listen on `unix:{}`: it is there, and is no socket", .0.display())]
    NoSocket(PathBuf),
    /// The system refused.
    #[error("can't listen on `unix:{}`: {cause}", path.display())]
    System {
        /// The socket.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
}

/// Binds a socket that only this process's user and root can use. Makes its folder if there is none. A socket that a
/// killed server left behind is replaced. Must be called inside a tokio runtime.
pub fn bind(path: &Path) -> Result<Listener, Error> {
    let failed = |cause| Error::System { path: path.to_owned(), cause };
    folder(path)?;
    let lock = Lock::take(path)?;
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(Error::NoSocket(path.to_owned())),
        // Locked by nobody, but it may be another program's.
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => return Err(Error::Taken(path.to_owned())),
        Ok(_) => fs::remove_file(path).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let file = SocketFile::of_ours(path);
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Listener::Private(listener, file, lock))
}

/// Makes the folder of `path`, or sees that nobody else can change what is in it.
fn folder(path: &Path) -> Result<(), Error> {
    let failed = |cause| Error::System { path: path.to_owned(), cause };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let metadata = fs::metadata(folder).map_err(failed)?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if !is_trusted(owner) {
        return Err(Error::ForeignFolder { path: path.to_owned(), owner });
    }
    if mode & 0o022 != 0 {
        return Err(Error::OpenFolder { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Whether a user may do here what this process may.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

/// Refuses a connection of anyone else. The socket's permissions keep them out already, unless somebody changes these.
pub(super) fn admit(stream: &UnixStream) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    let (user, process) = (peer.uid(), peer.pid());
    if is_trusted(user) {
        tracing::debug!(user, process, "a connection to the policy service");
        return Ok(());
    }
    tracing::warn!(user, process, "refused a connection to the policy service: it is for this server's user and root");
    Err(io::ErrorKind::PermissionDenied.into())
}

impl Lock {
    fn take(socket: &Path) -> Result<Self, Error> {
        let failed = |cause| Error::System { path: socket.to_owned(), cause };
        let mut name = socket.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        loop {
            let mut options = File::options();
            let file = options.create(true).write(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::Taken(socket.to_owned())),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
            // Its last holder may have removed it between our opening and locking; then it locks nothing.
            let ours = file.metadata().map_err(failed)?;
            let there = fs::symlink_metadata(&path);
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[tokio::test]
    async fn makes_a_folder_and_a_socket_for_its_user_alone_and_removes_the_socket() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("verdict/admin.sock");
        let listener = bind(&path).unwrap();
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
        drop(listener);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn whoever_comes_second_takes_nothing_away() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("admin.sock");
        let first = bind(&path).unwrap();
        assert!(matches!(bind(&path), Err(Error::Taken(_))));
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
        drop(first);
        drop(bind(&path).unwrap());
        // Another program's socket, with no lock.
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(bind(&path), Err(Error::Taken(_))));
        // And what is left of it.
        drop(other);
        drop(bind(&path).unwrap());
        assert!(!path.exists());
        fs::write(&path, "mine").unwrap();
        assert!(matches!(bind(&path), Err(Error::NoSocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[tokio::test]
    async fn a_folder_that_others_can_write_to_will_not_do() {
        let home = tempfile::tempdir().unwrap();
        for open in [0o777, 0o1777, 0o770, 0o722] {
            fs::set_permissions(home.path(), Permissions::from_mode(open)).unwrap();
            let error = bind(&home.path().join("admin.sock")).unwrap_err();
            assert!(matches!(error, Error::OpenFolder { mode, .. } if mode == open), "{open:o}: {error}");
        }
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        let path = home.path().join("admin.sock");
        let _listener = bind(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[tokio::test]
    async fn its_own_user_is_admitted() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("admin.sock");
        let bound = bind(&path).unwrap();
        let Listener::Private(listener, ..) = &bound else { panic!("a private one") };
        let (_client, accepted) = tokio::try_join!(UnixStream::connect(&path), listener.accept()).unwrap();
        assert!(admit(&accepted.0).is_ok());
        let nobody = rustix::process::geteuid().as_raw().wrapping_add(65_534);
        assert!(is_trusted(0) && !is_trusted(nobody));
    }

    #[tokio::test]
    async fn of_many_that_start_at_once_one_has_the_socket() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("admin.sock");
        // Left over, so that each has something to replace.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let runtime = tokio::runtime::Handle::current();
        let bound: Vec<_> = std::thread::scope(|scope| {
            let start = || {
                let _inside = runtime.enter();
                bind(&path)
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(bound.iter().filter(|bound| bound.is_ok()).count(), 1);
        assert!(bound.iter().all(|bound| matches!(bound, Ok(_) | Err(Error::Taken(_)))), "{bound:?}");
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    }
}
