//! Programs: started, fed, read, signalled, timed.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::{each_mode, until};

#[test]
fn output_and_exit_code_come_back() {
    each_mode(|cell| {
        let done = cell.sandbox("sbx_a").sh("echo out; echo err >&2; exit 3");
        assert_eq!((done.out.as_str(), done.err.as_str(), done.code), ("out\n", "err\n", 3));
        assert_eq!((&done.exit["signal"], &done.exit["timed_out"]), (&json!(null), &json!(false)));
    });
}

#[test]
fn ordinary_tools_work() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.put_file("m.c", b"#include <stdio.h>\n#include <pthread.h>\nvoid *f(void *p) { puts(p); return 0; }\nint main(void) { pthread_t t; pthread_create(&t, 0, f, \"thread\"); pthread_join(t, 0); }\n");
        let done = sandbox.sh(
            "set -e; python3 -c 'import subprocess, multiprocessing, sqlite3, ssl; print(subprocess.check_output([\"echo\", \"sub\"]).decode().strip())'
             if command -v git >/dev/null; then git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git log --oneline | wc -l && cd ..; else echo 1; fi
             if command -v gcc >/dev/null; then gcc -pthread m.c -o m && ./m; else echo thread; fi
             if command -v node >/dev/null; then node -e 'new (require(\"worker_threads\").Worker)(\"console.log(1+1)\", {eval: true})'; else echo 2; fi
             if command -v curl >/dev/null; then curl --version | head -c 4; echo; else echo curl; fi",
        );
        assert_eq!((done.out.as_str(), done.code), ("sub\n1\nthread\n2\ncurl\n", 0), "{}", done.err);
    });
}

#[test]
fn f_06_arguments_are_never_read_by_a_shell() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let done = sandbox.run(&["printf", "%s|", ";id", "$(id)", "a\nb", "`id`", ""]);
        assert_eq!(done.out, ";id|$(id)|a\nb|`id`||");
        for body in [
            json!({"argv": ["a\0b"]}),
            json!({"argv": ["true", "x".repeat(2 << 20)]}),
            json!({"argv": []}),
            json!({"argv": ["true"], "env": {"A": "b\0c"}}),
        ] {
            let reply = cell.post(&sandbox.path("/processes"), &body);
            assert_eq!((reply.status, reply.code().as_str()), (422, "invalid"), "{}", reply.text());
        }
        assert_eq!(sandbox.run(&["true"]).code, 0, "the sandbox is as well as before");
    });
}

#[test]
fn f_06_the_environment_is_made_and_not_inherited() {
    each_mode(|cell| {
        let sandbox = cell.sandbox_with("sbx_a", &json!({"v": 1, "env": {"OURS": "sandbox", "BOTH": "sandbox"}}));
        let process = sandbox.start(&json!({"argv": ["env"], "env": {"BOTH": "call", "HOME": "/workspace"}}));
        let done = sandbox.finish(&process);
        let has = |line: &str| done.out.lines().any(|l| l == line);
        assert!(has("OURS=sandbox") && has("BOTH=call") && has("HOME=/workspace") && has("USER=agent"), "{}", done.out);
        assert!(!done.out.contains("CARGO_MANIFEST_DIR"), "{}", done.out);
    });
}

#[test]
fn a_program_that_is_not_there_is_127_and_one_that_cannot_run_is_126() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        assert_eq!(sandbox.run(&["no-such-program"]).code, 127);
        assert_eq!(sandbox.run(&["/workspace/none"]).code, 127);
        assert_eq!(sandbox.run(&["/etc/passwd"]).code, 126);
    });
}

#[test]
fn input_is_streamed_until_it_ends() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let process = sandbox.start(&json!({"argv": ["sha256sum"], "stdin": true}));
        let url = sandbox.path(&format!("/processes/{process}/stdin"));
        for _ in 0..8 {
            assert_eq!(cell.ask("POST", &url, &vec![0; 1 << 20]).status, 204);
        }
        assert_eq!(cell.ask("POST", &format!("{url}?eof=true"), b"").status, 204);
        assert!(sandbox.finish(&process).out.starts_with("2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74"));
        assert_eq!(cell.ask("POST", &url, b"late").code(), "not_running");
    });
}

#[test]
fn a_program_without_input_reads_its_end() {
    each_mode(|cell| {
        let done = cell.sandbox("sbx_a").sh("cat; cat /dev/stdin; echo done");
        assert_eq!(done.out, "done\n", "{done:?}");
    });
}

#[test]
fn a_terminal_is_one_and_has_a_size() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let process = sandbox.start(
            &json!({"argv": ["sh", "-c", "tty; stty size; read line; echo \"got $line\"; stty size"], "pty": {"rows": 30, "cols": 100}}),
        );
        let seen = |text: &str| {
            sandbox.cell.get(&sandbox.path(&format!("/processes/{process}"))).json()["process"]["stdout"]["end"].as_u64().unwrap()
                >= text.len() as u64
        };
        until("the first lines are there", || seen("/dev/pts/0\r\n30 100\r\n"));
        assert_eq!(cell.post(&sandbox.path(&format!("/processes/{process}/resize")), &json!({"rows": 40, "cols": 120})).status, 204);
        cell.ask("POST", &sandbox.path(&format!("/processes/{process}/stdin")), b"words\n");
        let done = sandbox.finish(&process);
        assert_eq!(done.out, "/dev/pts/0\r\n30 100\r\nwords\r\ngot words\r\n40 120\r\n");
    });
}

#[test]
fn a_signal_reaches_the_whole_group() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let process = sandbox.start(&json!({"argv": ["sh", "-c", "sleep 600 & sleep 600 & touch up; wait"]}));
        until("its children run", || sandbox.get_file("up").status == 200);
        assert_eq!(cell.post(&sandbox.path(&format!("/processes/{process}/signal")), &json!({"signal": 15})).status, 204);
        let done = sandbox.finish(&process);
        assert_eq!((done.code, &done.exit["signal"]), (143, &json!(15)));
        // Init reaps them in its own time.
        until("the whole group is gone", || sandbox.sh("ps -e -o comm= | grep -c sleep").out == "0\n");
    });
}

#[test]
fn a_time_limit_ends_even_who_ignores_it_and_is_124() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let process = sandbox.start(&json!({"argv": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], "timeout_ms": 200}));
        let begun = Instant::now();
        let done = sandbox.finish(&process);
        assert_eq!((done.code, &done.exit["timed_out"]), (124, &json!(true)));
        assert!(begun.elapsed() >= Duration::from_secs(2), "it was asked before it was killed: {:?}", begun.elapsed());
    });
}

#[test]
fn output_that_was_pushed_out_is_a_gap() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let done = sandbox.sh("head -c 6000000 /dev/zero; echo end");
        assert_eq!(done.code, 0);
        let id = cell.get(&sandbox.path("/processes")).json()["processes"][0]["process"].as_str().unwrap().to_owned();
        let text = cell.get(&sandbox.path(&format!("/processes/{id}/output?stdout=0"))).text();
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first, json!({"gap": {"stream": "stdout", "from": 0, "to": 6_000_004 - (4 << 20)}}));
    });
}

#[test]
fn a_reader_can_go_on_where_it_stopped() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let done = sandbox.sh("printf 0123456789");
        assert_eq!(done.out, "0123456789");
        let id = cell.get(&sandbox.path("/processes")).json()["processes"][0]["process"].as_str().unwrap().to_owned();
        let text = cell.get(&sandbox.path(&format!("/processes/{id}/output?stdout=7"))).text();
        assert!(text.starts_with("{\"data\":\"Nzg5\",\"offset\":7,\"stream\":\"stdout\"}\n"), "{text}");
    });
}

#[test]
fn the_end_is_told_although_a_child_holds_the_pipe() {
    each_mode(|cell| {
        let begun = Instant::now();
        let done = cell.sandbox("sbx_a").sh("sleep 600 & echo started");
        assert_eq!((done.out.as_str(), done.code), ("started\n", 0));
        assert!(begun.elapsed() < Duration::from_secs(10));
    });
}

#[test]
fn standard_streams_can_be_opened_by_name() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let process =
            sandbox.start(&json!({"argv": ["sh", "-c", "cat < /dev/stdin > /dev/stdout; echo err > /dev/stderr"], "stdin": true}));
        assert_eq!(cell.ask("POST", &sandbox.path(&format!("/processes/{process}/stdin?eof=true")), b"in\n").status, 204);
        let done = sandbox.finish(&process);
        assert_eq!((done.out.as_str(), done.err.as_str(), done.code), ("in\n", "err\n", 0));
    });
}

#[test]
fn q_12_ended_processes_give_the_memory_of_their_output_back() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        for _ in 0..15 {
            sandbox.sh("head -c 5000000 /dev/zero");
        }
        assert_eq!(sandbox.sh("echo new").out, "new\n");
        let all = cell.get(&sandbox.path("/processes")).json();
        let kept = |process: &serde_json::Value| process["stdout"]["end"].as_u64().unwrap() - process["stdout"]["start"].as_u64().unwrap();
        let kept: Vec<u64> = all["processes"].as_array().unwrap().iter().map(kept).collect();
        assert!(kept.iter().sum::<u64>() <= 32 << 20, "{kept:?}");
        assert_eq!((kept[0], kept[14], kept[15]), (0, 4 << 20, 4), "the newest stays");
    });
}

#[test]
fn children_that_outlive_their_processes_do_not_use_up_the_descriptors_of_cell() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        for _ in 0..200 {
            sandbox.sh("sleep 600 &");
        }
        let open = std::fs::read_dir(format!("/proc/{}/fd", cell.pid())).unwrap().count();
        assert!(open < 300, "{open} descriptors");
        assert_eq!(sandbox.sh("pgrep -c sleep; echo still heard").out, "200\nstill heard\n");
    });
}
