//! Files by the API: inside the sandbox's root, as its own user, and nothing but files.

use std::{io::Read, os::unix::fs::MetadataExt};

use serde_json::json;

use crate::kit::{As, Sandbox, each_mode, until};

#[test]
fn what_is_written_is_read_back_and_belongs_to_the_agent() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let bytes: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
        let reply = sandbox.put_file("/workspace/a/b/c.bin&mode=0640", &bytes);
        assert_eq!(reply.json(), json!({"path": "/workspace/a/b/c.bin", "size": 1_000_000}));
        assert!(sandbox.get_file("a/b/c.bin").body == bytes);
        let done = sandbox.sh("stat -c '%U %a' a/b/c.bin a/b; echo more >> a/b/c.bin; ls -A a/b");
        assert_eq!(done.out, "agent 640\nagent 755\nc.bin\n", "{done:?}");
    });
}

#[test]
fn f_01_a_path_that_climbs_is_refused() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let long = "x".repeat(4097);
        for path in [
            "../../etc/shadow",
            "/workspace/../etc/shadow",
            "%2e%2e/%2e%2e/etc/shadow",
            "a%00b",
            "%ff%fe",
            &long,
            &format!("/workspace/{}", "y".repeat(300)),
        ] {
            let reply = sandbox.get_file(path);
            assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_path"), "{path}: {}", reply.text());
        }
        assert_eq!(sandbox.get_file("/etc/shadow").status, 404);
        assert_eq!(sandbox.get_file("C:%5Cboot.ini").status, 404);
    });
}

#[test]
fn f_02_links_lead_no_further_than_the_sandbox() {
    each_mode(|cell| {
        let secret = cell.folder.path().join("secret");
        std::fs::write(&secret, "the host's").unwrap();
        let sandbox = cell.sandbox("sbx_a");
        let script = format!(
            "ln -s /etc/passwd own; ln -s {0} host; ln -s / root; ln -s /proc/1/root magic; ln -s /proc/self/root/etc self; ln -s /proc/version kernel; ln -s {1} folder",
            secret.display(),
            cell.folder.path().display()
        );
        sandbox.sh(&script);
        assert!(sandbox.get_file("own").text().starts_with("root:x:0:0:root:/:/usr/sbin/nologin\nagent:"), "the sandbox's own passwd");
        assert_eq!(sandbox.get_file("host").status, 404);
        for path in ["magic/etc/passwd", "kernel", "root/proc/version"] {
            assert_eq!(sandbox.get_file(path).status, 400, "{path}");
        }
        assert_eq!(sandbox.get_file("root/dev/null").code(), "not_a_file");
        assert_eq!(sandbox.get_file("self/passwd").status, 404, "cell is nobody in the sandbox's /proc");
        assert_eq!(sandbox.put_file("folder/new&parents=false", b"x").status, 404);
        assert_eq!(sandbox.put_file("root/usr/x", b"x").status, 400);
        assert!(!cell.folder.path().join("new").exists());
    });
}

#[test]
fn f_02_writing_to_a_link_replaces_the_link() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.sh("echo old > target; ln -s target link");
        assert_eq!(sandbox.put_file("link", b"new").status, 200);
        assert_eq!(sandbox.sh("cat target; cat link").out, "old\nnew");
    });
}

#[test]
fn f_03_a_folder_swapped_for_a_link_never_leads_out() {
    each_mode(|cell| {
        let outside = cell.folder.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("f"), "escaped").unwrap();
        let sandbox = cell.sandbox("sbx_a");
        sandbox.sh("mkdir real; echo inside > real/f");
        sandbox.python_in_background(&format!(
            "os.chdir('/workspace'); os.symlink('{}', 'link')
while True:
    os.rename('real', 'tmp'); os.rename('link', 'real'); os.rename('real', 'link'); os.rename('tmp', 'real'); open('turning', 'w')",
            outside.display()
        ));
        until("it turns", || sandbox.get_file("turning").status == 200);
        let (mut read, mut missed) = (0, 0);
        until("both states were met, often", || {
            let reply = sandbox.get_file("real/f");
            assert_ne!(reply.text(), "escaped");
            if reply.status == 200 {
                read += 1;
            } else {
                missed += 1;
            }
            let _ = sandbox.put_file(&format!("real/n{read}&parents=false"), b"x");
            read > 100 && missed > 10
        });
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "nothing was written outside");
    });
}

impl Sandbox<'_> {
    fn python_in_background(&self, script: &str) {
        self.start(&json!({"argv": ["/usr/bin/python3", "-c", format!("import os\n{script}")]}));
    }
}

#[test]
fn f_04_only_regular_files_are_read() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.python(
            "os.mkfifo('fifo'); s = socket.socket(socket.AF_UNIX); s.bind('sock'); os.symlink('/dev/zero', 'zero'); os.mkdir('dir')",
        );
        for (path, code) in [
            ("fifo", "not_a_file"),
            ("sock", "not_a_file"),
            ("dir", "is_directory"),
            ("zero", "not_a_file"),
            ("/dev/zero", "invalid_path"),
            ("/proc/version", "invalid_path"),
        ] {
            assert_eq!(sandbox.get_file(path).code(), code, "{path}");
        }
        assert_eq!(sandbox.put_file("fifo", b"x").code(), "not_a_file");
        assert_eq!(sandbox.put_file("dir", b"x").code(), "is_directory");
    });
}

#[test]
fn f_04_a_huge_sparse_file_is_streamed_and_costs_no_memory() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.sh("truncate -s 8G sparse");
        let mut stream = cell.send("GET", &sandbox.path("/files/content?path=sparse"), "", &[]);
        let mut start = vec![0; 4 << 20];
        stream.read_exact(&mut start).unwrap();
        assert!(String::from_utf8_lossy(&start[..400]).to_lowercase().contains("content-length: 8589934592"));
        let memory = std::fs::read_to_string(format!("/proc/{}/statm", cell.pid())).unwrap();
        let pages: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(pages * 4096 < 200 << 20, "{pages} pages");
    });
}

#[test]
fn a_file_above_the_limit_is_refused_and_nothing_is_left() {
    each_mode(|cell| {
        let spec = json!({"v": 1, "limits": {"file_bytes": 1_000_000}});
        let sandbox = cell.sandbox_with("sbx_a", &spec);
        assert_eq!(sandbox.put_file("big", &vec![0; 1_000_001]).code(), "too_large");
        assert_eq!(sandbox.sh("ls -A").out, "");
    });
}

#[test]
fn folders_are_listed_made_and_removed() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        assert_eq!(cell.post(&sandbox.path("/files/mkdir"), &json!({"path": "a/b", "parents": true})).status, 204);
        assert_eq!(cell.post(&sandbox.path("/files/mkdir"), &json!({"path": "x/y", "parents": false})).status, 404);
        sandbox.put_file("a/b/f", b"12345");
        let listed = cell.get(&sandbox.path("/files/list?path=/workspace&depth=3")).json();
        let paths: Vec<_> = listed["entries"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["/workspace/a", "/workspace/a/b", "/workspace/a/b/f"]);
        let stat = cell.get(&sandbox.path("/files/stat?path=a/b/f")).json();
        assert_eq!((&stat["name"], &stat["size"], &stat["is_dir"], &stat["mode"]), (&json!("f"), &json!(5), &json!(false), &json!("0644")));
        assert_eq!(cell.ask("DELETE", &sandbox.path("/files?path=a"), &[]).code(), "is_directory");
        assert_eq!(cell.ask("DELETE", &sandbox.path("/files?path=a&recursive=true"), &[]).status, 204);
        assert_eq!(sandbox.sh("ls -A").out, "");
    });
}

#[test]
fn files_of_a_sandbox_of_root_belong_to_its_own_id_on_the_host() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.put_file("f", b"x");
        let owner = std::fs::metadata(cell.state().join("sandboxes/sbx_a/workspace/f")).unwrap().uid();
        assert_eq!(owner, if cell.user == As::Root { 0x2000_0000 + 1000 } else { std::fs::metadata(cell.folder.path()).unwrap().uid() });
    });
}

#[test]
fn stalled_uploads_to_one_sandbox_leave_the_others_files_alone() {
    each_mode(|cell| {
        let (stalled, other) = (cell.sandbox("sbx_a"), cell.sandbox("sbx_b"));
        let uploads: Vec<_> = (0..600)
            .map(|n| cell.send("PUT", &stalled.path(&format!("/files/content?path=f{n}")), "Transfer-Encoding: chunked\r\nX-", b""))
            .collect();
        let parts = || std::fs::read_dir(cell.state().join("sandboxes/sbx_a/workspace")).unwrap().count();
        until("some uploads have begun", || parts() > 0);
        assert_eq!(other.put_file("f", b"not held up").status, 200);
        assert_eq!(other.get_file("f").text(), "not held up");
        drop(uploads);
        until("the sandbox's own files can be used again", || stalled.get_file("none").status == 404 && parts() == 0);
    });
}

#[test]
fn f_04_a_listing_is_cut_where_its_names_would_be_too_much() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let many = "
for level in range(15):
    os.mkdir('d' * 250); os.chdir('d' * 250)
for n in range(9000): open(f'{n:0250}', 'w')";
        assert_eq!(sandbox.python(many).code, 0);
        let reply = cell.get(&sandbox.path("/files/list?path=/workspace&depth=64"));
        assert!(reply.body.len() < 20 << 20, "{} bytes", reply.body.len());
        assert_eq!(reply.json()["truncated"], true);
    });
}
