//! What a sandbox is asked to be, and what the spawner is told to make.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The body of `PUT /v1/sandboxes/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Message version.
    pub v: u32,
    /// What the sandbox calls itself.
    #[serde(default = "default_hostname")]
    pub hostname: String,
    /// Folders laid over the host's `/usr`, the first on top.
    #[serde(default)]
    pub layers: Vec<PathBuf>,
    /// The certificate that programs inside are to trust, beside the host's.
    #[serde(default)]
    pub authority_pem: String,
    /// A snapshot whose files it starts with.
    #[serde(default)]
    pub from_snapshot: Option<String>,
    /// How much it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Variables of every process.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

fn default_hostname() -> String {
    "sandbox".to_owned()
}

/// How much a sandbox may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Memory of all its processes together.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u64,
    /// Thousandths of a processor.
    pub cpu_millis: u64,
    /// Open files of one process.
    pub files: u64,
    /// The largest file.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 2 << 30, processes: 512, cpu_millis: 2000, files: 4096, file_bytes: 10 << 30 }
    }
}

/// What the front tells the spawner to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchOrder {
    /// `sbx_…`
    pub id: String,
    /// Its number on this host: its user ids come from it.
    pub slot: u32,
    /// The folder that holds its writable folders.
    pub folder: PathBuf,
    /// What it calls itself.
    pub hostname: String,
    /// Folders laid over the host's `/usr`.
    pub layers: Vec<PathBuf>,
    /// The certificate to trust.
    pub authority_pem: String,
    /// How much it may use.
    pub limits: Limits,
}

/// The folders that a sandbox may write to: the name in its own folder on the host, and the place inside.
pub const WRITABLE: [(&str, &str); 3] = [("workspace", "workspace"), ("tmp", "tmp"), ("home", "home/agent")];
