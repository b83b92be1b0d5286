//! The life of a connection out of a sandbox, one file per step. Start reading at `stack.rs`.
#![forbid(unsafe_code)]

pub mod accept;
pub mod cell;
pub mod control;
pub mod decide;
pub mod dns;
pub mod echo;
pub mod exchange;
pub mod forward;
pub mod framing;
pub mod gateway;
pub mod greet;
pub mod harden;
pub mod hello;
pub mod identify;
pub mod inject;
pub mod leases;
pub mod live;
pub mod metrics;
pub mod prefixed;
pub mod record;
pub mod refresh;
pub mod refusal;
pub mod relay;
pub mod request;
pub mod sandbox;
pub mod settings;
pub mod snapshots;
pub mod stack;
pub mod terminate;
pub mod upgrade;
pub mod upload;

pub use gateway::Gateway;
pub use settings::Settings;
