//! What a sandbox uses of the host right now: asked of its control groups, and where there are none of its processes.

use std::{fs, path::Path};

use serde::Serialize;

use crate::limits::Groups;

/// More processes than this are not asked; a sandbox has fewer.
const MOST: usize = 65_536;
/// Clock ticks a second in `/proc/PID/stat`: fixed for programs on every machine that Linux runs on today.
const TICKS: u64 = 100;

/// Figures of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Time on a processor since the sandbox began.
    pub cpu_usec: u64,
    /// Memory that is held.
    pub memory_bytes: u64,
    /// The most that was held at once, where the kernel counts it.
    pub memory_peak_bytes: Option<u64>,
    /// Processes and threads.
    pub tasks: u64,
}

/// Measures; blocks.
pub fn measure(pid: i32, groups: &Groups) -> Usage {
    let of_processes = by_processes(pid);
    Usage {
        cpu_usec: groups.cpu_usec().unwrap_or(of_processes.cpu_usec),
        memory_bytes: groups.memory_bytes().unwrap_or(of_processes.memory_bytes),
        memory_peak_bytes: groups.memory_peak_bytes(),
        tasks: of_processes.tasks,
    }
}

/// All descend from the sandbox's first process, which also counts the time of those that have ended.
fn by_processes(first: i32) -> Usage {
    let mut usage = Usage::default();
    let (mut waiting, mut asked) = (vec![first], 0);
    while let Some(pid) = waiting.pop() {
        asked += 1;
        if asked > MOST {
            break;
        }
        let folder = format!("/proc/{pid}");
        let folder = Path::new(&folder);
        if let Some(stat) = fs::read_to_string(folder.join("stat")).ok().as_deref().and_then(Stat::parse) {
            usage.cpu_usec += stat.ticks * (1_000_000 / TICKS);
            usage.tasks += stat.threads;
            usage.memory_bytes += stat.pages * rustix::param::page_size() as u64;
        }
        let Ok(threads) = fs::read_dir(folder.join("task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            waiting.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
    }
    usage
}

struct Stat {
    ticks: u64,
    threads: u64,
    pages: u64,
}

impl Stat {
    /// The fields behind the program's name, which may hold anything, a parenthesis too.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |n: usize| fields.get(n)?.parse::<u64>().ok();
        Some(Self { ticks: number(11)? + number(12)? + number(13)? + number(14)?, threads: number(17)?, pages: number(21)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_called_like_the_end_of_its_name_is_read_all_the_same() {
        let text = "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 10 20 30 40 20 0 3 0 99 4096 25 0";
        let stat = Stat::parse(text).map(|stat| (stat.ticks, stat.threads, stat.pages));
        assert_eq!(stat, Some((100, 3, 25)));
    }
}
