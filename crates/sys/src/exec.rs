//! Becoming another program, by descriptor.

use std::{
    ffi::{CStr, c_char},
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
    ptr,
};

/// Where `arrange_descriptors` puts the control channel.
const CONTROL: libc::c_int = 3;
/// Where it puts the program.
const PROGRAM: libc::c_int = 4;

/// Leaves this process with 0, 1 and 2 on `null`, 3 on `control` (kept over exec), 4 on `program` (closed by exec), and nothing else.
///
/// For a process that is about to exec and holds no other descriptor that it still wants.
pub fn arrange_descriptors(null: OwnedFd, control: OwnedFd, program: OwnedFd) -> io::Result<OwnedFd> {
    let null = lift(null)?;
    let control = lift(control)?;
    let program = lift(program)?;
    for target in 0..=2 {
        place(null, target, 0)?;
    }
    place(control, CONTROL, 0)?;
    place(program, PROGRAM, libc::O_CLOEXEC)?;
    // SAFETY: the caller gave up every other descriptor by the contract above; owners of closed ones never run again,
    // because the process execs or exits without destructors.
    if unsafe { libc::syscall(libc::SYS_close_range, 5u32, u32::MAX, 0u32) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: 4 was just made by dup3 and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(PROGRAM) })
}

fn lift(descriptor: OwnedFd) -> io::Result<libc::c_int> {
    // SAFETY: the descriptor is ours; F_DUPFD_CLOEXEC touches no memory.
    let lifted = unsafe { libc::fcntl(descriptor.into_raw_fd(), libc::F_DUPFD_CLOEXEC, PROGRAM + 1) };
    if lifted == -1 { Err(io::Error::last_os_error()) } else { Ok(lifted) }
}

fn place(from: libc::c_int, to: libc::c_int, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: dup3 touches no memory; what is replaced at `to` is given up by the contract of the public function.
    if unsafe { libc::dup3(from, to, flags) } == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Replaces this process by the program behind `program`. Returns only when that failed.
pub fn exec_descriptor(program: BorrowedFd<'_>, arguments: &[&CStr]) -> io::Error {
    let mut argv: Vec<*const c_char> = arguments.iter().map(|a| a.as_ptr()).collect();
    argv.push(ptr::null());
    let environment: [*const c_char; 1] = [ptr::null()];
    // SAFETY: both arrays end with a null pointer and outlive the call; every string ends with a zero byte.
    unsafe {
        libc::syscall(libc::SYS_execveat, program.as_raw_fd(), c"".as_ptr(), argv.as_ptr(), environment.as_ptr(), libc::AT_EMPTY_PATH)
    };
    io::Error::last_os_error()
}
