//! Touching files as somebody else, for one thread and for a while.

use std::{io, marker::PhantomData};

/// As whom files are touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    /// User id on this machine.
    pub uid: u32,
    /// Group id on this machine.
    pub gid: u32,
}

/// Takes the thread back to its own identity when dropped. It cannot leave its thread.
pub struct Assumed {
    before: FileIdentity,
    _stays_here: PhantomData<*const ()>,
}

/// Makes this thread create and check files as `identity`; a root thread also gives up its power over other people's files meanwhile.
pub fn assume_file_identity(identity: FileIdentity) -> io::Result<Assumed> {
    let before = set(identity);
    // Both calls report the former id and never an error; asking again is how to learn whether they worked.
    if set(identity) == identity {
        return Ok(Assumed { before, _stays_here: PhantomData });
    }
    set(before);
    Err(io::Error::from(io::ErrorKind::PermissionDenied))
}

impl Drop for Assumed {
    fn drop(&mut self) {
        set(self.before);
    }
}

fn set(identity: FileIdentity) -> FileIdentity {
    // SAFETY: both calls change only the calling thread's credentials and touch no memory.
    let (gid, uid) = unsafe { (libc::syscall(libc::SYS_setfsgid, identity.gid), libc::syscall(libc::SYS_setfsuid, identity.uid)) };
    FileIdentity { uid: truncate(uid), gid: truncate(gid) }
}

fn truncate(id: libc::c_long) -> u32 {
    // The kernel returns an unsigned 32-bit id; ids above 2^31 come back sign-extended.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let id = id as u32;
    id
}
