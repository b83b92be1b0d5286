//! The system call filters: one that allows by list, and three that refuse with a better word.
//!
//! The kernel runs all of them and takes the strictest answer; between equals, that of the filter loaded last. So the
//! list decides, and the others only choose the error.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction,
    SeccompCmpArgLen::{Dword, Qword},
    SeccompCmpOp::{Eq, MaskedEq, Ne},
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use crate::{
    error::StepError,
    syscalls::{ALLOWED, ALLOWED_HERE, REFUSED},
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Made<T> = Result<T, seccompiler::BackendError>;

const UNIX: u64 = libc::AF_UNIX as u64;
const NETLINK: u64 = libc::AF_NETLINK as u64;
const INTERNET: [u64; 2] = [libc::AF_INET as u64, libc::AF_INET6 as u64];
/// The kinds of socket, each with the two protocols that it may have.
const KINDS: [(u64, u64); 2] = [(libc::SOCK_STREAM as u64, libc::IPPROTO_TCP as u64), (libc::SOCK_DGRAM as u64, libc::IPPROTO_UDP as u64)];
/// The bits of a socket's type that are the type.
const KIND_BITS: u64 = 0xf;
/// Bits of clone that make namespaces.
const NEW: [libc::c_int; 8] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    0x80, /* NEWTIME */
];
/// Terminal requests that put words into somebody else's mouth.
const MIMICRY: [u64; 2] = [0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */];
/// Personalities that change nothing dangerous: the usual, 32-bit names, short inodes, and "which is it?".
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Compiled once, applied in each sandbox.
pub struct Filters {
    programs: [BpfProgram; 4],
}

impl Filters {
    /// Compiles them for this machine.
    pub fn compile() -> Result<Self, StepError> {
        let make = || -> Made<Self> {
            let allow = filter(allowed()?, SeccompAction::Errno(errno(libc::ENOSYS)), SeccompAction::Allow)?;
            let refuse = filter(refused()?, SeccompAction::Allow, SeccompAction::Errno(errno(libc::EPERM)))?;
            let families = filter(other_families()?, SeccompAction::Allow, SeccompAction::Errno(errno(libc::EAFNOSUPPORT)))?;
            let protocols = filter(
                BTreeMap::from([(libc::SYS_socket, wrong_protocols()?)]),
                SeccompAction::Allow,
                SeccompAction::Errno(errno(libc::EPROTONOSUPPORT)),
            )?;
            Ok(Self { programs: [allow, refuse, families, protocols] })
        };
        make().map_err(|e| StepError::new("compile the system call filters", &e.to_string()))
    }

    /// Loads them into this process.
    pub fn apply(&self) -> Result<(), StepError> {
        self.programs
            .iter()
            .try_for_each(|program| apply_filter(program))
            .map_err(|e| StepError::new("load the system call filters", &e.to_string()))
    }
}

fn filter(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Made<BpfProgram> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, matched, architecture)?.try_into()
}

fn allowed() -> Made<Rules> {
    let mut rules: Rules = ALLOWED.iter().chain(ALLOWED_HERE).flat_map(|g| g.calls).map(|call| (*call, Vec::new())).collect();
    let every_new = NEW.iter().fold(0, |bits, bit| bits | u64::from(bit.cast_unsigned()));
    rules.insert(libc::SYS_clone, vec![rule([condition(0, Qword, MaskedEq(every_new), 0)?])?]);
    rules.insert(libc::SYS_ioctl, vec![rule([condition(1, Dword, Ne, MIMICRY[0])?, condition(1, Dword, Ne, MIMICRY[1])?])?]);
    rules.insert(libc::SYS_personality, PERSONALITIES.iter().map(|p| rule([condition(0, Dword, Eq, *p)?])).collect::<Made<_>>()?);
    rules.insert(libc::SYS_socket, sockets()?);
    // Making a pair makes sockets of the family first, and asks afterwards whether it has pairs.
    rules.insert(libc::SYS_socketpair, vec![rule([condition(0, Dword, Eq, UNIX)?])?]);
    Ok(rules)
}

/// Unix, TCP, UDP, and questions about one's own routes.
fn sockets() -> Made<Vec<SeccompRule>> {
    let mut rules = vec![rule([condition(0, Dword, Eq, UNIX)?])?];
    for family in INTERNET {
        for (kind, protocol) in KINDS {
            for protocol in [0, protocol] {
                rules.push(rule([
                    condition(0, Dword, Eq, family)?,
                    condition(1, Dword, MaskedEq(KIND_BITS), kind)?,
                    condition(2, Dword, Eq, protocol)?,
                ])?);
            }
        }
    }
    rules.push(rule([condition(0, Dword, Eq, NETLINK)?, condition(2, Dword, Eq, libc::NETLINK_ROUTE as u64)?])?);
    Ok(rules)
}

fn refused() -> Made<Rules> {
    let mut rules: Rules = REFUSED.iter().flat_map(|g| g.calls).map(|call| (*call, Vec::new())).collect();
    let new = NEW.iter().map(|bit| u64::from(bit.cast_unsigned()));
    rules.insert(libc::SYS_clone, new.map(|bit| rule([condition(0, Qword, MaskedEq(bit), bit)?])).collect::<Made<_>>()?);
    rules.insert(libc::SYS_ioctl, MIMICRY.iter().map(|r| rule([condition(1, Dword, Eq, *r)?])).collect::<Made<_>>()?);
    Ok(rules)
}

/// Raw, ping, SCTP, UDP-Lite and the like.
fn wrong_protocols() -> Made<Vec<SeccompRule>> {
    let mut rules = vec![rule([condition(0, Dword, Eq, NETLINK)?, condition(2, Dword, Ne, libc::NETLINK_ROUTE as u64)?])?];
    for family in INTERNET {
        for (kind, protocol) in KINDS {
            rules.push(rule([
                condition(0, Dword, Eq, family)?,
                condition(1, Dword, MaskedEq(KIND_BITS), kind)?,
                condition(2, Dword, Ne, 0)?,
                condition(2, Dword, Ne, protocol)?,
            ])?);
        }
        for kind in [libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, 10 /* SOCK_PACKET */] {
            rules.push(rule([
                condition(0, Dword, Eq, family)?,
                condition(1, Dword, MaskedEq(KIND_BITS), u64::from(kind.cast_unsigned()))?,
            ])?);
        }
    }
    Ok(rules)
}

/// Families of sockets that no namespace holds, virtual machines' above all.
fn other_families() -> Made<Rules> {
    let conditions = [UNIX, INTERNET[0], INTERNET[1], NETLINK].map(|family| condition(0, Dword, Ne, family));
    let rules = rule(conditions.into_iter().collect::<Made<Vec<_>>>()?)?;
    let pairs = rule([condition(0, Dword, Ne, UNIX)?])?;
    Ok(BTreeMap::from([(libc::SYS_socket, vec![rules]), (libc::SYS_socketpair, vec![pairs])]))
}

fn condition(
    argument: u8,
    length: seccompiler::SeccompCmpArgLen,
    compare: seccompiler::SeccompCmpOp,
    value: u64,
) -> Made<SeccompCondition> {
    SeccompCondition::new(argument, length, compare, value)
}

fn rule(conditions: impl Into<Vec<SeccompCondition>>) -> Made<SeccompRule> {
    SeccompRule::new(conditions.into())
}

fn errno(code: libc::c_int) -> u32 {
    code.cast_unsigned()
}
