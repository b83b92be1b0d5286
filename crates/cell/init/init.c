/* PID 1 of a sandbox: starts programs, reaps them, and dies with its master.
 *
 * Descriptor 3 is a SOCK_SEQPACKET channel to cell; when it closes, this process ends, and with it the whole pid
 * namespace. Capabilities, no_new_privs, Landlock and seccomp were applied before this program began, and every
 * program that it starts inherits them. No libc: the fewer pages, the faster a sandbox starts.
 *
 * Requests are three 32-bit numbers {operation, serial, argument} and what follows; answers are four {kind, serial,
 * value, errno}, with at most one descriptor. crates/cell/src/init.rs is the other side. */

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned long ulong;
typedef long word;

enum { OP_EXEC = 1, OP_SIGNAL = 2, OP_CONNECT = 3 };
enum { KIND_READY = 0, KIND_ANSWER = 1, KIND_EXIT = 2 };
enum { FLAG_TERMINAL = 1, FLAG_STDIN = 2 };
enum { CONTROL = 3, MESSAGE = 192 * 1024, STRINGS = 16384 };

enum { ENOENT = 2, EINTR = 4, EACCES = 13, ENOTDIR = 20, EINVAL = 22 };
enum { SIGCHLD = 17, SIG_SETMASK = 2, SIG_BLOCK = 0 };
enum { O_RDWR = 2, O_NOCTTY = 0400, O_NONBLOCK = 04000, O_CLOEXEC = 02000000, AT_FDCWD = -100 };
enum { TIOCSCTTY = 0x540E, TIOCSWINSZ = 0x5414, TIOCSPTLCK = 0x40045431, TIOCGPTPEER = 0x5441 };
enum { SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_NOSIGNAL = 0x4000, MSG_TRUNC = 0x20, MSG_CMSG_CLOEXEC = 0x40000000 };
enum { AF_INET = 2, SOCK_STREAM = 1, PR_SET_NAME = 15, PR_SET_DUMPABLE = 4, WNOHANG = 1, POLLIN = 1 };

#if defined(__x86_64__)
enum {
    NR_read = 0, NR_write = 1, NR_rt_sigaction = 13, NR_rt_sigprocmask = 14, NR_ioctl = 16, NR_socket = 41, NR_connect = 42,
    NR_sendmsg = 46, NR_recvmsg = 47, NR_clone = 56, NR_execve = 59, NR_exit_group = 231, NR_wait4 = 61, NR_kill = 62,
    NR_chdir = 80, NR_umask = 95, NR_setsid = 112, NR_prctl = 157, NR_openat = 257, NR_ppoll = 271, NR_signalfd4 = 289,
    NR_dup3 = 292, NR_close = 3, NR_close_range = 436
};
static word system_call(word n, word a, word b, word c, word d, word e) {
    word result;
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n and $-16,%rsp\n call run\n hlt\n");
#elif defined(__aarch64__)
enum {
    NR_read = 63, NR_write = 64, NR_rt_sigaction = 134, NR_rt_sigprocmask = 135, NR_ioctl = 29, NR_socket = 198, NR_connect = 203,
    NR_sendmsg = 211, NR_recvmsg = 212, NR_clone = 220, NR_execve = 221, NR_exit_group = 94, NR_wait4 = 260, NR_kill = 129,
    NR_chdir = 49, NR_umask = 166, NR_setsid = 157, NR_prctl = 167, NR_openat = 56, NR_ppoll = 73, NR_signalfd4 = 74,
    NR_dup3 = 24, NR_close = 57, NR_close_range = 436
};
static word system_call(word n, word a, word b, word c, word d, word e) {
    register word x8 __asm__("x8") = n;
    register word x0 __asm__("x0") = a;
    register word x1 __asm__("x1") = b;
    register word x2 __asm__("x2") = c;
    register word x3 __asm__("x3") = d;
    register word x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
__asm__(".globl _start\n_start:\n mov x29,#0\n bl run\n brk #1\n");
#else
#error "no system calls known for this machine"
#endif

/* The compiler may ask for these by name even without a library. */
void *memcpy(void *to, const void *from, ulong n) {
    char *t = to;
    const char *f = from;
    while (n--) *t++ = *f++;
    return to;
}
void *memset(void *to, int value, ulong n) {
    char *t = to;
    while (n--) *t++ = (char)value;
    return to;
}

struct vector { void *base; ulong length; };
struct message { void *name; u32 name_length; struct vector *parts; ulong part_count; void *control; ulong control_length; int flags; };
struct control { ulong length; int level, type; int descriptors[4]; };
struct poll { int descriptor; short events, returned; };

struct program {
    char **arguments, **environment;
    const char *folder;
    int descriptors[3];
    int terminal;
};

static char request[MESSAGE];
static char *strings[STRINGS];

static ulong length(const char *s) {
    ulong n = 0;
    while (s[n]) n++;
    return n;
}

static int contains(const char *s, char wanted) {
    for (; *s; s++)
        if (*s == wanted) return 1;
    return 0;
}

static void complain(const char *subject, const char *problem) {
    system_call(NR_write, 2, (word)subject, length(subject), 0, 0);
    system_call(NR_write, 2, (word)problem, length(problem), 0, 0);
}

static void end(int code) {
    for (;;) system_call(NR_exit_group, code, 0, 0, 0, 0);
}

static void answer(int kind, int serial, int value, int error, int descriptor) {
    int body[4] = {kind, serial, value, error};
    struct vector part = {body, sizeof body};
    struct control rights = {16 + sizeof(int), SOL_SOCKET, SCM_RIGHTS, {descriptor, 0, 0, 0}};
    struct message m = {0, 0, &part, 1, 0, 0, 0};
    if (descriptor >= 0) {
        m.control = &rights;
        m.control_length = 24;
    }
    while (system_call(NR_sendmsg, CONTROL, (word)&m, MSG_NOSIGNAL, 0, 0) == -EINTR) {
    }
}

/* A program named without a slash is looked for in PATH, of its own environment, as execvp does. */
static word execute(struct program *p) {
    static char candidate[4352];
    const char *name = p->arguments[0], *path = "/usr/local/bin:/usr/bin:/bin";
    word worst = -ENOENT;
    if (contains(name, '/')) return system_call(NR_execve, (word)name, (word)p->arguments, (word)p->environment, 0, 0);
    if (!*name || length(name) > 255) return -ENOENT;
    for (char **e = p->environment; *e; e++)
        if ((*e)[0] == 'P' && (*e)[1] == 'A' && (*e)[2] == 'T' && (*e)[3] == 'H' && (*e)[4] == '=') path = *e + 5;
    while (*path) {
        ulong n = 0;
        while (path[n] && path[n] != ':') n++;
        if (n && n < 4096) {
            memcpy(candidate, path, n);
            candidate[n] = '/';
            memcpy(candidate + n + 1, name, length(name) + 1);
            word result = system_call(NR_execve, (word)candidate, (word)p->arguments, (word)p->environment, 0, 0);
            if (result != -ENOENT && result != -ENOTDIR) worst = result;
        }
        path += n + (path[n] == ':');
    }
    return worst;
}

/* The rest of a new process's life in this program: never returns. */
static void become(struct program *p) {
    struct { void *handler; ulong flags; void *restorer; ulong mask; } ordinary = {0, 0, 0, 0};
    ulong nothing = 0;
    system_call(NR_setsid, 0, 0, 0, 0, 0);
    for (int i = 0; i < 3; i++)
        if (system_call(NR_dup3, p->descriptors[i], i, 0, 0, 0) < 0) end(126);
    if (p->terminal) system_call(NR_ioctl, 0, TIOCSCTTY, 0, 0, 0);
    system_call(NR_close_range, 3, ~0u, 0, 0, 0);
    /* An ignored signal stays ignored over exec, and whoever started cell may have ignored some. */
    for (int signal = 1; signal < 65; signal++) system_call(NR_rt_sigaction, signal, (word)&ordinary, 0, 8, 0);
    system_call(NR_rt_sigprocmask, SIG_SETMASK, (word)&nothing, 0, 8, 0);
    if (system_call(NR_chdir, (word)p->folder, 0, 0, 0, 0) < 0) {
        complain(p->folder, ": cannot be entered\n");
        end(126);
    }
    word result = execute(p);
    int missing = result == -ENOENT || result == -ENOTDIR;
    complain(p->arguments[0], missing ? ": not found\n" : ": cannot be executed\n");
    end(missing ? 127 : 126);
}

static int open_terminal(struct program *p, u16 rows, u16 columns) {
    int unlocked = 0;
    u16 size[4] = {rows, columns, 0, 0};
    word master = system_call(NR_openat, AT_FDCWD, (word) "/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY, 0, 0);
    if (master < 0) return (int)master;
    system_call(NR_ioctl, master, TIOCSPTLCK, (word)&unlocked, 0, 0);
    system_call(NR_ioctl, master, TIOCSWINSZ, (word)size, 0, 0);
    word slave = system_call(NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC, 0, 0);
    if (slave < 0) {
        system_call(NR_close, master, 0, 0, 0, 0);
        return (int)slave;
    }
    p->descriptors[0] = p->descriptors[1] = p->descriptors[2] = (int)slave;
    return (int)master;
}

/* Splits zero-terminated texts into the array: folder, arguments, null, environment, null. */
static int split(struct program *p, char *text, char *stop, u32 arguments, u32 environment) {
    u32 count = 0;
    if (!arguments || arguments >= STRINGS || environment >= STRINGS || arguments + environment + 2 > STRINGS || text >= stop) return -EINVAL;
    p->folder = text;
    p->arguments = strings;
    p->environment = strings + arguments + 1;
    text += length(text) + 1;
    while (text < stop && count < arguments + environment) {
        strings[count < arguments ? count : count + 1] = text;
        text += length(text) + 1;
        count++;
    }
    strings[arguments] = 0;
    strings[arguments + environment + 1] = 0;
    return count == arguments + environment ? 0 : -EINVAL;
}

static void start(int serial, u32 flags, char *body, char *stop, int *given, int count) {
    struct program p = {0};
    u32 *numbers = (u32 *)body;
    int master = -1, null = -1;
    if (stop - body < 12 || split(&p, body + 12, stop, numbers[1], numbers[2]) < 0) {
        answer(KIND_ANSWER, serial, 0, EINVAL, -1);
        return;
    }
    p.terminal = !!(flags & FLAG_TERMINAL);
    if (p.terminal) {
        master = open_terminal(&p, (u16)(numbers[0] & 0xffff), (u16)(numbers[0] >> 16));
        if (master < 0) {
            answer(KIND_ANSWER, serial, 0, -master, -1);
            return;
        }
    } else {
        int own = flags & FLAG_STDIN ? 3 : 2;
        if (count != own) {
            answer(KIND_ANSWER, serial, 0, EINVAL, -1);
            return;
        }
        /* Opened here, so that /dev/stdin can be opened again: a descriptor from outside could not. */
        if (own == 2) null = (int)system_call(NR_openat, AT_FDCWD, (word) "/dev/null", O_RDWR | O_CLOEXEC, 0, 0);
        p.descriptors[0] = own == 2 ? null : given[0];
        p.descriptors[1] = given[own - 2];
        p.descriptors[2] = given[own - 1];
    }
    word pid = system_call(NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) become(&p);
    answer(KIND_ANSWER, serial, pid < 0 ? 0 : (int)pid, pid < 0 ? (int)-pid : 0, pid < 0 ? -1 : master);
    if (master >= 0) {
        system_call(NR_close, master, 0, 0, 0, 0);
        system_call(NR_close, p.descriptors[0], 0, 0, 0, 0);
    }
    if (null >= 0) system_call(NR_close, null, 0, 0, 0, 0);
}

/* A TCP connection to this sandbox's own 127.0.0.1, under way when it is handed back. */
static void dial(int serial, u32 port) {
    struct { u16 family, port; u32 address; char rest[8]; } where = {AF_INET, (u16)((port >> 8 & 0xff) | (port & 0xff) << 8), 0x0100007f, {0}};
    word s = system_call(NR_socket, AF_INET, SOCK_STREAM | O_NONBLOCK | O_CLOEXEC, 0, 0, 0);
    if (s < 0) {
        answer(KIND_ANSWER, serial, 0, (int)-s, -1);
        return;
    }
    system_call(NR_connect, s, (word)&where, sizeof where, 0, 0);
    answer(KIND_ANSWER, serial, 0, 0, (int)s);
    system_call(NR_close, s, 0, 0, 0, 0);
}

static void serve(void) {
    struct vector part = {request, MESSAGE - 1};
    struct control rights;
    struct message m = {0, 0, &part, 1, &rights, sizeof rights, 0};
    int count = 0;
    word n = system_call(NR_recvmsg, CONTROL, (word)&m, MSG_CMSG_CLOEXEC, 0, 0);
    if (n == -EINTR) return;
    if (n <= 0) end(0); /* cell has gone: the whole sandbox goes */
    request[n] = 0;
    if (m.control_length >= 20 && rights.level == SOL_SOCKET && rights.type == SCM_RIGHTS) count = (int)((rights.length - 16) / sizeof(int));
    u32 *head = (u32 *)request;
    int serial = n >= 12 ? (int)head[1] : 0;
    if (n < 12 || (m.flags & MSG_TRUNC)) {
        answer(KIND_ANSWER, serial, 0, EINVAL, -1);
    } else if (head[0] == OP_EXEC) {
        start(serial, head[2], request + 12, request + n, rights.descriptors, count);
    } else if (head[0] == OP_SIGNAL && n >= 16) {
        word result = system_call(NR_kill, (int)head[2], head[3], 0, 0, 0);
        answer(KIND_ANSWER, serial, 0, (int)-result, -1);
    } else if (head[0] == OP_CONNECT) {
        dial(serial, head[2]);
    } else {
        answer(KIND_ANSWER, serial, 0, EINVAL, -1);
    }
    for (int i = 0; i < count; i++) system_call(NR_close, rights.descriptors[i], 0, 0, 0, 0);
}

static void reap(int signals) {
    static char information[1024];
    int status;
    word pid;
    while (system_call(NR_read, signals, (word)information, sizeof information, 0, 0) > 0) {
    }
    while ((pid = system_call(NR_wait4, -1, (word)&status, WNOHANG, 0, 0)) > 0) answer(KIND_EXIT, 0, (int)pid, status, -1);
}

void run(void) {
    ulong children = 1ul << (SIGCHLD - 1);
    system_call(NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    system_call(NR_prctl, PR_SET_NAME, (word) "init", 0, 0, 0);
    system_call(NR_umask, 022, 0, 0, 0, 0);
    system_call(NR_rt_sigprocmask, SIG_BLOCK, (word)&children, 0, 8, 0);
    int signals = (int)system_call(NR_signalfd4, -1, (word)&children, 8, O_CLOEXEC | O_NONBLOCK, 0);
    answer(KIND_READY, 0, 0, 0, -1);
    for (;;) {
        struct poll waits[2] = {{CONTROL, POLLIN, 0}, {signals, POLLIN, 0}};
        if (system_call(NR_ppoll, (word)waits, 2, 0, 0, 0) < 0) continue;
        if (waits[1].returned) reap(signals);
        if (waits[0].returned) serve();
    }
}
