//! Step 7, the last: this process becomes the sandbox's PID 1.

use std::{
    convert::Infallible,
    os::fd::{AsFd, OwnedFd},
};

use openmiosa_sys::{arrange_descriptors, exec_descriptor};
use rustix::fs::{Mode, OFlags, open};

use crate::{
    confine::confine,
    error::{Doing, StepError},
    seccomp::Filters,
};

/// Closes everything but the control channel, takes on limits, gives up all power, and becomes `program`.
pub fn become_init(
    control: OwnedFd,
    program: OwnedFd,
    limits: impl FnOnce() -> Result<(), StepError>,
    filters: &Filters,
) -> Result<Infallible, StepError> {
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).doing("open /dev/null")?;
    let program = arrange_descriptors(null, control, program).doing("close descriptors")?;
    // Only now: the spawner's descriptors may be more than the sandbox is allowed.
    limits()?;
    confine(filters)?;
    Err(exec_descriptor(program.as_fd(), &[c"init"])).doing("execute init")
}
