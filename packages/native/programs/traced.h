/* Controls a traced process: reads what it is about to do, and makes system calls in its name. */
#include <errno.h>
#include <elf.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#if defined(__x86_64__)
enum { AUDIT = 0xc000003e, CALL_BYTES = 2, CALL_MASK = 0xffff, CALL_CODE = 0x050f };
#define REGISTER_IP rip
#define REGISTER_SP rsp
#define REGISTER_RESULT rax
#define REGISTER_NUMBER rax
#define REGISTER_ARGUMENT_0 rdi
#define REGISTER_ARGUMENT_1 rsi
#define REGISTER_ARGUMENT_2 rdx
#elif defined(__aarch64__)
enum { AUDIT = 0xc00000b7, CALL_BYTES = 4 };
#define CALL_MASK 0xffffffffUL
#define CALL_CODE 0xd4000001UL
#define REGISTER_IP pc
#define REGISTER_SP sp
#define REGISTER_RESULT regs[0]
#define REGISTER_NUMBER regs[8]
#define REGISTER_ARGUMENT_0 regs[0]
#define REGISTER_ARGUMENT_1 regs[1]
#define REGISTER_ARGUMENT_2 regs[2]
#else
#error "no other architecture is known"
#endif

enum { AT_CALL = SIGTRAP | 0x80 };

static volatile sig_atomic_t is_late;
static void note_lateness(int number) { is_late = number; }

/* After this many seconds `await_stop` gives up; 0: it never does. The timer repeats, because a signal just before a
 * wait does not end that wait. */
static void limit_waits(int seconds) {
  struct itimerval limit = {.it_interval = {.tv_sec = seconds > 0}, .it_value = {.tv_sec = seconds}};
  struct sigaction action = {.sa_handler = note_lateness};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &limit, NULL);
  is_late = 0;
}

/* Returns its state after a wait, or -1 if it has ended, or is late (`is_late`). */
static int await_stop(pid_t pid) {
  int status;
  while (waitpid(pid, &status, __WALL) != pid)
    if (errno != EINTR || is_late) return -1;
  return WIFSTOPPED(status) ? status : -1;
}

static struct timespec in_seconds(int seconds) {
  struct timespec then;
  clock_gettime(CLOCK_MONOTONIC, &then);
  then.tv_sec += seconds;
  return then;
}

enum { IS_LATE = -2 };

/* The same with a time limit; IS_LATE if it has not stopped by then. Call it with SIGCHLD blocked; it takes some of
 * these signals. */
static int await_stop_until(pid_t pid, const struct timespec *end) {
  sigset_t deaths;
  sigemptyset(&deaths);
  sigaddset(&deaths, SIGCHLD);
  for (;;) {
    struct timespec now;
    int status;
    pid_t found = waitpid(pid, &status, __WALL | WNOHANG);
    long left;
    clock_gettime(CLOCK_MONOTONIC, &now);
    left = (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
    if (found == pid && (left > 0 || !WIFSTOPPED(status))) return WIFSTOPPED(status) ? status : -1;
    if (found < 0 && errno != EINTR) return -1;
    if (left <= 0) return IS_LATE;
    struct timespec rest = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    sigtimedwait(&deaths, NULL, &rest);
  }
}

static int event_of(int status) { return status >> 16; }

static int registers(int request, pid_t pid, struct user_regs_struct *registers) {
  struct iovec part = {.iov_base = registers, .iov_len = sizeof *registers};
  return (int)ptrace(request, pid, (void *)NT_PRSTATUS, &part);
}

/* Sets its first argument, while it is stopped before a call. */
static int set_argument(pid_t pid, unsigned long value) {
  struct user_regs_struct now;
  if (registers(PTRACE_GETREGSET, pid, &now) != 0) return -1;
  now.REGISTER_ARGUMENT_0 = value;
  return registers(PTRACE_SETREGSET, pid, &now);
}

/* Sets the result of a call, while it is stopped after it. */
static int set_result(pid_t pid, unsigned long value) {
  struct user_regs_struct now;
  if (registers(PTRACE_GETREGSET, pid, &now) != 0) return -1;
  now.REGISTER_RESULT = value;
  return registers(PTRACE_SETREGSET, pid, &now);
}

/* For calls in the name of `pid`, which is stopped after one of its own. */
struct caller {
  pid_t pid;
  struct user_regs_struct before;
};

/* Returns -1 with errno. */
static int call_from(struct caller *caller, pid_t pid) {
  long code;
  caller->pid = pid;
  if (registers(PTRACE_GETREGSET, pid, &caller->before) != 0) return -1;
  errno = 0;
  code = ptrace(PTRACE_PEEKTEXT, pid, (void *)(caller->before.REGISTER_IP - CALL_BYTES), NULL);
  if (errno != 0) return -1;
  return ((unsigned long)code & CALL_MASK) == CALL_CODE ? 0 : (errno = ENOEXEC, -1);
}

/* Continues to the next of its two stops at a call. Returns -1 with errno. */
static int to_call_stop(pid_t pid, int op, struct __ptrace_syscall_info *info) {
  int status;
  if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) != 0) return -1;
  status = await_stop(pid);
  if (status < 0 || event_of(status) != 0 || WSTOPSIG(status) != AT_CALL) return errno = ESRCH, -1;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof *info, info) < 0) return -1;
  return info->op == op ? 0 : (errno = EPROTO, -1);
}

static int prepare_call(struct caller *caller, long number, unsigned long one, unsigned long two, unsigned long three) {
  struct user_regs_struct now = caller->before;
  now.REGISTER_IP -= CALL_BYTES;
  now.REGISTER_ARGUMENT_0 = one;
  now.REGISTER_ARGUMENT_1 = two;
  now.REGISTER_ARGUMENT_2 = three;
  now.REGISTER_NUMBER = (unsigned long)number;
  return registers(PTRACE_SETREGSET, caller->pid, &now);
}

/* Makes a call in its name, and stops it after that. Returns -1 with errno. A process can arrange to continue elsewhere
 * (a restartable sequence), so its next call is checked before it is made. */
static long call_in(struct caller *caller, long number, unsigned long one, unsigned long two, unsigned long three) {
  struct __ptrace_syscall_info info;
  if (prepare_call(caller, number, one, two, three) != 0) return -1;
  if (to_call_stop(caller->pid, PTRACE_SYSCALL_INFO_ENTRY, &info) != 0) return -1;
  if (info.arch != AUDIT || (long)info.entry.nr != number || info.entry.args[0] != one ||
      info.entry.args[1] != two || info.entry.args[2] != three)
    return errno = EPERM, -1;
  if (to_call_stop(caller->pid, PTRACE_SYSCALL_INFO_EXIT, &info) != 0) return -1;
  return info.exit.is_error ? (errno = (int)-info.exit.rval, -1) : (long)info.exit.rval;
}

/* The same in half the time. Check by the call's effect whether it was made: the process continues by one instruction,
 * wherever it is. */
static long step_in(struct caller *caller, long number, unsigned long one, unsigned long two) {
  struct user_regs_struct now;
  int status;
  if (prepare_call(caller, number, one, two, 0) != 0) return -1;
  if (ptrace(PTRACE_SINGLESTEP, caller->pid, NULL, NULL) != 0) return -1;
  status = await_stop(caller->pid);
  if (status < 0 || event_of(status) != 0 || WSTOPSIG(status) != SIGTRAP) return errno = ESRCH, -1;
  if (registers(PTRACE_GETREGSET, caller->pid, &now) != 0) return -1;
  long result = (long)now.REGISTER_RESULT;
  return result < 0 ? (errno = (int)-result, -1) : result;
}

/* Restores its earlier state. */
static int go_back(const struct caller *caller) {
  struct user_regs_struct before = caller->before;
  return registers(PTRACE_SETREGSET, caller->pid, &before);
}

/* Returns an address below the used part of its stack. */
static unsigned long scratch_of(const struct caller *caller) {
  return (caller->before.REGISTER_SP - 1024) & ~15UL;
}
