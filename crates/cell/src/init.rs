//! Our side of the sandbox's PID 1: the program itself, and the words that it understands (`init/init.c`).
//!
//! Init lives in the sandbox's zone of trust: what it says is parsed as if the agent had said it.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    os::fd::OwnedFd,
};

use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};

/// Built by build.rs.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));
/// What fits into init's buffer, with room to spare.
pub const REQUEST: usize = 160 << 10;
/// How many texts init has places for.
const STRINGS: usize = 16_000;

const EXEC: u32 = 1;
const SIGNAL: u32 = 2;
const CONNECT: u32 = 3;
const TERMINAL: u32 = 1;
const STDIN: u32 = 2;

/// The program in memory, sealed: nobody can change what the next sandbox starts with.
pub fn program() -> io::Result<OwnedFd> {
    let memory = memfd_create("openmiosa-init", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = std::fs::File::from(memory);
    file.write_all(PROGRAM)?;
    fchmod(&file, Mode::from_raw_mode(0o555))?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file.into())
}

/// A program to start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// All of its environment.
    pub env: BTreeMap<String, String>,
    /// Where it starts.
    pub cwd: String,
    /// Whether a pipe for its input goes with the request.
    pub stdin: bool,
    /// Rows and columns, if it gets a terminal.
    pub terminal: Option<(u16, u16)>,
}

impl Start {
    /// The request, or why it cannot be made.
    pub fn encode(&self, serial: u32) -> Result<Vec<u8>, &'static str> {
        let flags = if self.terminal.is_some() { TERMINAL } else { 0 } | if self.stdin { STDIN } else { 0 };
        let (rows, columns) = self.terminal.unwrap_or_default();
        if self.argv.is_empty() || self.argv.len() + self.env.len() > STRINGS {
            return Err("argv and env must name one program and at most 16,000 texts");
        }
        let counts = [self.argv.len(), self.env.len()].map(|n| u32::try_from(n).unwrap_or_default());
        let mut bytes = head(EXEC, serial, flags);
        for number in [u32::from(rows) | u32::from(columns) << 16, counts[0], counts[1]] {
            bytes.extend(number.to_ne_bytes());
        }
        let variables = self.env.iter().map(|(name, value)| format!("{name}={value}"));
        for text in std::iter::once(self.cwd.clone()).chain(self.argv.iter().cloned()).chain(variables) {
            if text.contains('\0') {
                return Err("argv, env and cwd cannot contain a zero byte");
            }
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        if bytes.len() > REQUEST { Err("argv, env and cwd together must be below 160 KiB; put more into a file") } else { Ok(bytes) }
    }
}

/// Asks for a signal; a negative `pid` is a process group, -1 is everybody.
pub fn signal(serial: u32, pid: i32, signal: i32) -> Vec<u8> {
    let mut bytes = head(SIGNAL, serial, pid.cast_unsigned());
    bytes.extend(signal.to_ne_bytes());
    bytes
}

/// Asks for a connection to the sandbox's own 127.0.0.1.
pub fn connect(serial: u32, port: u16) -> Vec<u8> {
    head(CONNECT, serial, u32::from(port))
}

fn head(operation: u32, serial: u32, argument: u32) -> Vec<u8> {
    [operation, serial, argument].iter().flat_map(|n| n.to_ne_bytes()).collect()
}

/// What init says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// It runs.
    Ready,
    /// The answer to a request.
    Answer {
        /// Which request.
        serial: u32,
        /// What came of it.
        result: Result<i32, i32>,
    },
    /// A process ended.
    Ended {
        /// Its id inside.
        pid: i32,
        /// As `wait` reports it.
        status: i32,
    },
}

/// Reads a packet; `None` when it is none of init's.
pub fn parse(bytes: &[u8]) -> Option<Said> {
    let (numbers, []) = bytes.as_chunks::<4>() else { return None };
    let [kind, serial, value, error] = *<&[[u8; 4]; 4]>::try_from(numbers).ok()?;
    let [kind, value, error] = [kind, value, error].map(i32::from_ne_bytes);
    match kind {
        0 => Some(Said::Ready),
        1 => Some(Said::Answer { serial: u32::from_ne_bytes(serial), result: if error == 0 { Ok(value) } else { Err(error) } }),
        2 => Some(Said::Ended { pid: value, status: error }),
        _ => None,
    }
}
