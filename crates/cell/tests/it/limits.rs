//! How much a sandbox may use.

use serde_json::json;

use crate::kit::each_mode;

#[test]
fn memory_is_limited() {
    each_mode(|cell| {
        let sandbox = cell.sandbox_with("sbx_a", &json!({"v": 1, "limits": {"memory_bytes": 67_108_864}}));
        let done = sandbox.run(&["/usr/bin/python3", "-c", "x = bytearray(1 << 28); print('had it')"]);
        assert!(done.code != 0 && done.out.is_empty(), "{done:?}");
        assert_eq!(sandbox.run(&["true"]).code, 0, "the sandbox lives on");
    });
}

#[test]
fn processes_are_limited() {
    each_mode(|cell| {
        let sandbox = cell.sandbox_with("sbx_a", &json!({"v": 1, "limits": {"processes": 20}}));
        let done = sandbox.python(
            "
import signal
children = []
try:
    while len(children) < 100:
        pid = os.fork()
        if pid == 0: time.sleep(600)
        children.append(pid)
except BlockingIOError:
    print('refused', len(children) < 20)
for pid in children: os.kill(pid, signal.SIGKILL)",
        );
        assert_eq!(done.out, "refused True\n", "{done:?}");
    });
}

#[test]
fn open_files_and_the_size_of_a_file_are_limited() {
    each_mode(|cell| {
        let sandbox = cell.sandbox_with("sbx_a", &json!({"v": 1, "limits": {"files": 64, "file_bytes": 1_048_576}}));
        assert_eq!(sandbox.sh("ulimit -n; ulimit -Hn; ulimit -c").out, "64\n64\n0\n");
        assert_ne!(sandbox.sh("head -c 2000000 /dev/zero > big").code, 0);
        assert_eq!(sandbox.sh("stat -c %s big").out, "1048576\n");
    });
}

#[test]
fn limits_that_nothing_could_run_under_are_refused() {
    each_mode(|cell| {
        let reply = cell.ask("PUT", "/v1/sandboxes/sbx_a", json!({"v": 1, "limits": {"processes": 1}}).to_string().as_bytes());
        assert_eq!((reply.status, reply.code().as_str()), (422, "invalid"));
    });
}
