//! Asking the kernel for its version of Landlock, which the library tells nobody.

use std::ptr;

const VERSION: libc::c_uint = 1;

/// The version, 0 when there is none or it is switched off.
pub fn landlock_version() -> u32 {
    // SAFETY: with a null pointer, no size and this flag the call only answers a number.
    let answer = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<libc::c_void>(), 0usize, VERSION) };
    u32::try_from(answer).unwrap_or(0)
}
