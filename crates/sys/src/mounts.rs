//! `mount_setattr(2)`: the flags of a mount, or of a whole tree of them, at once.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

/// What to switch on.
#[derive(Clone, Copy, Default)]
pub struct MountFlags {
    /// Nothing may be written through it.
    pub read_only: bool,
    /// Set-user-id bits mean nothing.
    pub no_suid: bool,
    /// Device nodes do not open.
    pub no_dev: bool,
    /// Programs do not start.
    pub no_exec: bool,
}

/// Adds `flags` to the mount at `path` below `directory` (or to `directory` itself when the path is empty), and to all below it when `recursive`.
pub fn set_mount_flags(directory: impl AsFd, path: &Path, recursive: bool, flags: MountFlags) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: 0, userns_fd: 0 };
    for (wanted, bit) in [
        (flags.read_only, libc::MOUNT_ATTR_RDONLY),
        (flags.no_suid, libc::MOUNT_ATTR_NOSUID),
        (flags.no_dev, libc::MOUNT_ATTR_NODEV),
        (flags.no_exec, libc::MOUNT_ATTR_NOEXEC),
    ] {
        if wanted {
            attributes.attr_set |= bit;
        }
    }
    let mut how = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
    if recursive {
        how |= libc::AT_RECURSIVE;
    }
    // SAFETY: path and attributes live through the call, and the size is theirs.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory.as_fd().as_raw_fd(),
            path.as_ptr(),
            how,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
