//! What the process may do: more open files, and no more than a user that owns nothing.

use std::ffi::CString;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{User, initgroups, setgid, setuid};

use crate::output::{Hint, hinted};

/// As many open files as the system lets us have: each worker has some hundred sockets.
pub(super) fn allow_more_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Fewer are no error: then there are fewer connections.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Becomes this user, for good, with the groups it has. To be called when all sockets are bound,
/// and before there is another thread.
pub(super) fn become_user(name: &str) -> anyhow::Result<()> {
    let hint = "name a user of this system, and start as root; under systemd, `User=` does it";
    let user = User::from_name(name)
        .with_context(|| format!("user `{name}`"))?
        .ok_or_else(|| hinted(format!("there is no user `{name}`"), hint))?;
    let groups = CString::new(name).context("--user")?;
    initgroups(&groups, user.gid)
        .and_then(|()| setgid(user.gid))
        .and_then(|()| setuid(user.uid))
        .with_context(|| format!("cannot become user `{name}`"))
        .hint(|| hint)
}
