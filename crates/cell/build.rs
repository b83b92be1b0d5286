//! Builds the sandbox's PID 1: a freestanding static program of a few kilobytes, for the machine that cell is built for.

use std::{env, path::PathBuf, process::Command};

const FLAGS: &[&str] = &[
    "-nostdlib",
    "-static",
    "-ffreestanding",
    "-Os",
    "-fno-pie",
    "-no-pie",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wl,--build-id=none",
    "-Wl,-z,noexecstack",
    "-s",
];

fn main() {
    println!("cargo::rerun-if-changed=init/init.c");
    println!("cargo::rerun-if-env-changed=OPENMIOSA_INIT_CC");
    let target = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the target's architecture");
    let host = env::var("HOST").expect("cargo sets the host");
    let compiler = env::var("OPENMIOSA_INIT_CC")
        .unwrap_or_else(|_| if host.starts_with(&target) { "gcc".to_owned() } else { format!("{target}-linux-gnu-gcc") });
    let output = PathBuf::from(env::var("OUT_DIR").expect("cargo sets the output folder")).join("init");
    let status = Command::new(&compiler).args(FLAGS).arg("-o").arg(&output).arg("init/init.c").status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{compiler} could not build init/init.c ({status}); gcc 8 or newer is needed"),
        Err(error) => panic!("{compiler} could not be run ({error}); install gcc, or name a compiler in OPENMIOSA_INIT_CC"),
    }
}
