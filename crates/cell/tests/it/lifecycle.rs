//! Sandboxes come, pause, are copied, survive a crash by their files, and leave nothing behind.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::kit::{As, Cell, each_mode, until};

fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Folders of control groups that have this sandbox's name.
fn groups(id: &str, below: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(below) else { return Vec::new() };
    let folders = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    folders.flat_map(|e| if e.file_name() == id { vec![e.path().display().to_string()] } else { groups(id, &e.path()) }).collect()
}

#[test]
fn the_same_request_again_is_the_same_sandbox() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let again = cell.ask("PUT", &sandbox.path(""), br#"{"v": 1}"#);
        assert_eq!((again.status, again.json()["sandbox"]["pid"].as_i64().unwrap()), (200, i64::from(sandbox.pid)));
        assert_eq!(cell.ask("PUT", &sandbox.path(""), br#"{"v": 1, "hostname": "other"}"#).code(), "exists");
        assert_eq!(cell.get("/v1/sandboxes").json()["sandboxes"].as_array().unwrap().len(), 1);
        assert_eq!(cell.get("/v1/sandboxes/sbx_none").code(), "not_found");
    });
}

#[test]
fn what_is_destroyed_is_gone_at_once_and_altogether() {
    each_mode(|cell| {
        let id = format!("sbx_gone{}", cell.pid());
        let sandbox = cell.sandbox(&id);
        sandbox.start(
            &json!({"argv": ["sh", "-c", "trap '' TERM HUP; setsid sleep 600 & mkdir locked; touch locked/f; chmod 0 locked; sleep 600"]}),
        );
        until("its files are there", || fs::metadata(cell.state().join(format!("sandboxes/{id}/workspace/locked"))).is_ok());
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        let begun = Instant::now();
        sandbox.destroy();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert!(!alive(sandbox.pid));
        assert!(!cell.state().join("sandboxes").join(&id).exists());
        assert_eq!(groups(&id, Path::new("/sys/fs/cgroup")), Vec::<String>::new());
        assert_eq!(fs::read_to_string("/proc/mounts").unwrap(), mounts);
        assert_eq!(cell.get(&sandbox.path("")).code(), "not_found");
    });
}

#[test]
fn when_cell_is_killed_its_sandboxes_die_and_their_files_wait() {
    for user in [As::Root, As::Nobody] {
        if user == As::Root && !rustix::process::geteuid().is_root() {
            continue;
        }
        let mut cell = Cell::start(user);
        let sandbox = cell.sandbox("sbx_a");
        sandbox.put_file("kept", b"still here");
        let paused = cell.sandbox("sbx_b");
        cell.post(&paused.path("/pause"), &json!({}));
        let pids = [sandbox.pid, paused.pid];
        cell.crash_and_restart();
        until("the sandboxes are dead, the paused one too", || !pids.iter().any(|p| alive(*p)));
        assert_eq!(cell.get("/v1/sandboxes").json(), json!({"sandboxes": []}));
        assert_eq!(cell.sandbox("sbx_a").sh("cat kept; echo more >> kept").out, "still here");
    }
}

#[test]
fn files_can_be_kept_and_taken_up_again() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.sh("echo kept > f; echo home > ~/g");
        cell.sandbox("sbx_other");
        assert_eq!(cell.ask("DELETE", &sandbox.path("?files=keep"), &[]).status, 204);
        assert_eq!(cell.sandbox("sbx_a").sh("cat f ~/g; echo x >> f").out, "kept\nhome\n");
    });
}

#[test]
fn a_paused_sandbox_stands_still() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.start(&json!({"argv": ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > n; sleep 0.01; done"]}));
        let count = || sandbox.get_file("n").text();
        until("it counts", || count().trim().parse::<u64>().is_ok_and(|n| n > 2));
        let paused = cell.post(&sandbox.path("/pause"), &json!({})).json();
        assert_eq!(paused["sandbox"]["state"], "paused");
        assert_eq!(cell.post(&sandbox.path("/processes"), &json!({"argv": ["true"]})).code(), "not_running");
        let before = count();
        let deadline = Instant::now() + Duration::from_millis(200);
        while Instant::now() < deadline {
            assert_eq!(count(), before);
        }
        assert_eq!(cell.post(&sandbox.path("/resume"), &json!({})).json()["sandbox"]["state"], "running");
        until("it counts on", || count() != before);
        cell.post(&sandbox.path("/pause"), &json!({}));
        sandbox.destroy();
        assert!(!alive(sandbox.pid), "a paused sandbox can be destroyed");
    });
}

#[test]
fn a_snapshot_is_a_copy_that_follows_no_link() {
    each_mode(|cell| {
        let secret = cell.folder.path().join("secret");
        fs::write(&secret, "the host's").unwrap();
        let first = cell.sandbox("sbx_a");
        first.sh(&format!("mkdir -p d; echo one > d/f; chmod 600 d/f; ln -s {} link; mkfifo pipe; echo home > ~/h", secret.display()));
        let taken = cell.post(&first.path("/snapshots/snp_1"), &json!({}));
        assert_eq!((taken.status, taken.json()), (201, json!({"bytes": 9})));
        first.sh("echo two > d/f");
        let second = cell.sandbox_with("sbx_b", &json!({"v": 1, "from_snapshot": "snp_1"}));
        assert_eq!(
            second.sh("cat d/f ~/h; readlink link; stat -c %a d/f; echo three > d/f && ls").out,
            format!("one\nhome\n{}\n600\nd\nlink\n", secret.display())
        );
        assert_eq!(first.sh("cat d/f").out, "two\n");
        assert_eq!(cell.ask("DELETE", "/v1/snapshots/snp_1", &[]).status, 204);
        assert_eq!(cell.ask("DELETE", "/v1/snapshots/snp_1", &[]).status, 404);
        let reply = cell.ask("PUT", "/v1/sandboxes/sbx_c", br#"{"v": 1, "from_snapshot": "snp_1"}"#);
        assert_eq!(reply.code(), "not_found");
    });
}

#[test]
fn layers_lie_over_usr_and_cannot_be_written() {
    each_mode(|cell| {
        let layer = cell.folder.path().join("layer");
        fs::create_dir_all(layer.join("share/openmiosa-test")).unwrap();
        fs::write(layer.join("share/openmiosa-test/f"), "from the layer\n").unwrap();
        let sandbox = cell.sandbox_with("sbx_a", &json!({"v": 1, "layers": [layer]}));
        let done = sandbox.sh("cat /usr/share/openmiosa-test/f; ls /usr/bin/env; touch /usr/share/x 2>/dev/null || echo no");
        assert_eq!(done.out, "from the layer\n/usr/bin/env\nno\n");
        let reply = cell.ask("PUT", "/v1/sandboxes/sbx_b", br#"{"v": 1, "layers": ["relative"]}"#);
        assert_eq!(reply.code(), "invalid");
    });
}

#[test]
fn the_host_says_what_it_can_do() {
    each_mode(|cell| {
        let host = cell.get("/v1/host").json();
        assert_eq!(host["mode"], if cell.user == As::Root { "root" } else { "rootless" });
        let names: Vec<_> = host["checks"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "user_namespaces",
                "apparmor",
                "mounts",
                "proc",
                "loopback",
                "nft_tproxy",
                "overlay",
                "landlock",
                "seccomp",
                "memfd_exec",
                "cgroups"
            ]
        );
        let check = |name: &str| host["checks"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap().clone();
        assert!(check("cgroups")["ok"] == true || !check("cgroups")["remedy"].as_str().unwrap().is_empty());
    });
}

#[test]
fn many_sandboxes_at_once_are_all_different() {
    each_mode(|cell| {
        std::thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || {
                    let sandbox = cell.sandbox_with(&format!("sbx_{n}"), &json!({"v": 1, "hostname": format!("host-{n}")}));
                    sandbox.put_file("f", n.to_string().as_bytes());
                    assert_eq!(sandbox.sh("hostname; cat f").out, format!("host-{n}\n{n}"));
                    sandbox.destroy();
                });
            }
        });
        assert_eq!(cell.get("/v1/sandboxes").json(), json!({"sandboxes": []}));
    });
}

#[test]
fn a_sandbox_cannot_make_itself_too_deep_or_too_closed_to_be_destroyed() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let dig = "os.chdir('/workspace')
for level in range(1500):
    os.mkdir('d' * 20); os.chdir('d' * 20); open('f', 'w')
os.makedirs('/tmp/module/sub'); open('/tmp/module/sub/f', 'w'); os.chmod('/tmp/module/sub', 0o555); os.chmod('/tmp/module', 0o555); os.chmod('/tmp', 0)";
        assert_eq!(sandbox.python(dig).code, 0);
        assert_eq!(cell.ask("DELETE", &sandbox.path(&format!("/files?path={}&recursive=true", "d".repeat(20))), &[]).status, 204);
        assert_eq!(sandbox.python(&dig.replace("/tmp", "/home/agent")).code, 0);
        sandbox.destroy();
        assert!(!cell.state().join("sandboxes/sbx_a").exists());
    });
}

#[test]
fn a_caller_that_hangs_up_leaves_no_half_made_sandbox() {
    each_mode(|cell| {
        for _ in 0..5 {
            drop(cell.send("PUT", "/v1/sandboxes/sbx_a", "", br#"{"v": 1}"#));
            let again = cell.ask("PUT", "/v1/sandboxes/sbx_a", br#"{"v": 1}"#);
            assert!([200, 201].contains(&again.status), "{}", again.text());
            assert_eq!(cell.ask("DELETE", "/v1/sandboxes/sbx_a", &[]).status, 204);
        }
    });
}

#[test]
fn a_caller_that_hangs_up_during_a_snapshot_leaves_the_sandbox_running_and_the_copy_whole() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        assert_eq!(sandbox.sh("for i in $(seq 3000); do echo x > $i; done").code, 0);
        let copy = cell.state().join("snapshots/snp_1/workspace");
        let caller = cell.send("POST", &sandbox.path("/snapshots/snp_1"), "", b"{}");
        until("the copy has begun", || copy.exists());
        drop(caller);
        until("it runs again", || cell.get(&sandbox.path("")).json()["sandbox"]["state"] == "running");
        assert_eq!((fs::read_dir(&copy).unwrap().count(), sandbox.sh("echo up").out.as_str()), (3000, "up\n"));
    });
}

#[test]
fn a_snapshot_leaves_the_holes_of_files() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        assert_eq!(sandbox.sh("truncate -s 1G f; printf middle | dd of=f bs=1 seek=500000000 conv=notrunc 2>/dev/null").code, 0);
        assert_eq!(cell.post(&sandbox.path("/snapshots/snp_1"), &json!({})).json(), json!({"bytes": 1 << 30}));
        let copy = fs::metadata(cell.state().join("snapshots/snp_1/workspace/f")).unwrap();
        assert!(std::os::unix::fs::MetadataExt::blocks(&copy) < 1000 && copy.len() == 1 << 30, "{copy:?}");
        let second = cell.sandbox_with("sbx_b", &json!({"v": 1, "from_snapshot": "snp_1"}));
        assert_eq!(second.sh("tail -c +500000001 f | head -c 6; tail -c 1 f | od -An -tx1").out, "middle 00\n");
    });
}
