//! The system calls that a sandbox may make, in groups, each with its reason. What is not named does not exist.

/// Some calls, and why they are allowed.
pub struct Group {
    /// Why.
    #[expect(dead_code, reason = "read by people")]
    pub reason: &'static str,
    /// Their numbers.
    pub calls: &'static [libc::c_long],
}

macro_rules! group {
    ($reason:literal: $($call:ident)*) => {
        Group { reason: $reason, calls: &[$(libc::$call),*] }
    };
}

/// Allowed whatever their arguments are.
pub const ALLOWED: &[Group] = &[
    group!("Reading and writing open files, also many pieces at once":
        SYS_read SYS_write SYS_readv SYS_writev SYS_pread64 SYS_pwrite64 SYS_preadv SYS_pwritev SYS_preadv2 SYS_pwritev2 SYS_lseek SYS_close SYS_close_range
        SYS_sendfile SYS_splice SYS_tee SYS_vmsplice SYS_copy_file_range SYS_readahead SYS_fadvise64),
    group!("Finding, opening and describing files; Landlock and the mounts decide which":
        SYS_openat SYS_openat2 SYS_statx SYS_newfstatat SYS_fstat SYS_statfs SYS_fstatfs SYS_faccessat SYS_faccessat2 SYS_readlinkat SYS_getdents64 SYS_getcwd
        SYS_chdir SYS_fchdir SYS_umask SYS_getxattr SYS_lgetxattr SYS_fgetxattr SYS_listxattr SYS_llistxattr SYS_flistxattr),
    group!("Changing files in the writable folders":
        SYS_mkdirat SYS_unlinkat SYS_renameat SYS_renameat2 SYS_linkat SYS_symlinkat SYS_truncate SYS_ftruncate SYS_fallocate SYS_fchmod SYS_fchmodat
        SYS_fchown SYS_fchownat SYS_utimensat SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr SYS_flock SYS_fsync
        SYS_fdatasync SYS_sync SYS_syncfs SYS_sync_file_range SYS_mknodat),
    group!("Memory of one's own": SYS_mmap SYS_munmap SYS_mremap SYS_mprotect SYS_brk SYS_madvise SYS_process_madvise SYS_msync SYS_mincore SYS_mlock SYS_mlock2 SYS_munlock
        SYS_mlockall SYS_munlockall SYS_memfd_create SYS_membarrier SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect SYS_mseal SYS_remap_file_pages),
    group!("Memory placement, which numeric libraries ask for": SYS_mbind SYS_get_mempolicy SYS_set_mempolicy SYS_set_mempolicy_home_node),
    group!("Starting, ending and awaiting programs; clone itself is decided by its flags":
        SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_wait4 SYS_waitid SYS_pidfd_open SYS_pidfd_send_signal SYS_pidfd_getfd SYS_process_mrelease),
    group!("Who am I, and with whom": SYS_getpid SYS_getppid SYS_gettid SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_getresuid SYS_getresgid SYS_getgroups SYS_getpgid
        SYS_getsid SYS_setpgid SYS_setsid SYS_uname SYS_sysinfo SYS_getrusage SYS_times SYS_capget SYS_getcpu),
    group!("Changing to ids that one has: without capabilities these only ever give up":
        SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_setresgid SYS_setfsuid SYS_setfsgid SYS_setgroups SYS_capset SYS_prctl),
    group!("Threads and what they wait for": SYS_set_tid_address SYS_set_robust_list SYS_get_robust_list SYS_futex SYS_futex_waitv
        SYS_rseq SYS_sched_yield SYS_restart_syscall),
    group!("Being scheduled": SYS_sched_getaffinity SYS_sched_setaffinity SYS_sched_getparam SYS_sched_setparam SYS_sched_getscheduler SYS_sched_setscheduler SYS_sched_getattr
        SYS_sched_setattr SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_rr_get_interval SYS_getpriority SYS_setpriority SYS_ioprio_get SYS_ioprio_set
        SYS_getrlimit SYS_setrlimit SYS_prlimit64),
    group!("Signals": SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigpending SYS_rt_sigtimedwait SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo
        SYS_sigaltstack SYS_kill SYS_tkill SYS_tgkill SYS_signalfd4),
    group!("Clocks and timers, read only": SYS_clock_gettime SYS_clock_getres SYS_clock_nanosleep SYS_nanosleep SYS_gettimeofday SYS_getitimer SYS_setitimer SYS_timer_create
        SYS_timer_settime SYS_timer_gettime SYS_timer_getoverrun SYS_timer_delete SYS_timerfd_create SYS_timerfd_settime SYS_timerfd_gettime),
    group!("Waiting for descriptors": SYS_ppoll SYS_pselect6 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_inotify_init1 SYS_inotify_add_watch
        SYS_inotify_rm_watch),
    group!("Descriptors and pipes; ioctl is decided by its request": SYS_dup SYS_dup3 SYS_fcntl SYS_pipe2),
    group!("Sockets that exist; socket and socketpair are decided by their family": SYS_bind SYS_listen SYS_accept SYS_accept4 SYS_connect SYS_getsockname SYS_getpeername
        SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_sendmmsg SYS_recvmmsg SYS_getsockopt SYS_setsockopt SYS_shutdown),
    group!("Messages, semaphores and memory shared inside the sandbox": SYS_shmget SYS_shmat SYS_shmctl SYS_shmdt SYS_semget SYS_semop SYS_semtimedop SYS_semctl SYS_msgget
        SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_mq_open SYS_mq_unlink SYS_mq_timedsend SYS_mq_timedreceive SYS_mq_notify SYS_mq_getsetattr),
    group!("Asynchronous files, the old way (io_uring is not here)": SYS_io_setup SYS_io_destroy SYS_io_submit SYS_io_cancel SYS_io_getevents),
    group!("Debugging one's own processes": SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev),
    group!("Confining oneself further": SYS_seccomp SYS_landlock_create_ruleset SYS_landlock_add_rule SYS_landlock_restrict_self),
    group!("Random numbers": SYS_getrandom),
];

/// Older names of the same, which only this machine's ABI has.
#[cfg(target_arch = "x86_64")]
pub const ALLOWED_HERE: &[Group] = &[
    group!("Files, by older names": SYS_open SYS_creat SYS_stat SYS_lstat SYS_access SYS_readlink SYS_getdents SYS_mkdir SYS_rmdir SYS_unlink SYS_rename SYS_link SYS_symlink
        SYS_chmod SYS_chown SYS_lchown SYS_utime SYS_utimes SYS_futimesat SYS_mknod SYS_sendfile),
    group!("Processes and waiting, by older names": SYS_fork SYS_vfork SYS_getpgrp SYS_alarm SYS_pause SYS_time SYS_poll SYS_select SYS_epoll_create SYS_epoll_wait
        SYS_epoll_ctl_old SYS_epoll_wait_old SYS_eventfd SYS_signalfd SYS_inotify_init SYS_dup2 SYS_pipe),
    group!("Changing permissions, the newest way; elsewhere programs fall back to the one before": SYS_fchmodat2),
    group!("Thread-local storage": SYS_arch_prctl SYS_set_thread_area SYS_get_thread_area),
];
/// Older names of the same, which only this machine's ABI has.
#[cfg(not(target_arch = "x86_64"))]
pub const ALLOWED_HERE: &[Group] = &[];

/// Refused by name: programs are told "not permitted", which they understand, and not "no such call", which would make
/// them try another way.
pub const REFUSED: &[Group] = &[
    group!("Namespaces and mounts": SYS_unshare SYS_setns SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick SYS_open_tree SYS_move_mount
        SYS_mount_setattr),
    group!("The kernel itself": SYS_bpf SYS_perf_event_open SYS_kexec_load SYS_init_module SYS_finit_module SYS_delete_module SYS_reboot SYS_swapon SYS_swapoff SYS_syslog SYS_acct
        SYS_quotactl SYS_quotactl_fd SYS_vhangup SYS_sethostname SYS_setdomainname),
    group!("Files by handle, past every path": SYS_open_by_handle_at SYS_name_to_handle_at SYS_fanotify_init SYS_fanotify_mark),
    group!("Keys of the host's user": SYS_add_key SYS_request_key SYS_keyctl),
    group!("Much kernel for little use": SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register SYS_userfaultfd SYS_move_pages SYS_migrate_pages SYS_kcmp SYS_memfd_secret),
    group!("The host's clock": SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex),
];
