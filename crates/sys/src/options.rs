//! Socket options that are a plain number and have no name in rustix or socket2.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// Sets one integer option.
pub fn set_socket_flag(socket: impl AsFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), size_of::<libc::c_int>() as libc::socklen_t)
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
