/* Forks a process that has loaded an agent, the template, and puts each child into its own sandbox. The template is in
 * a sandbox whose system call filter forbids namespaces, and is stopped in its call of `clone` from then on: it only
 * runs from one such call to the next. For a child, this program completes the call's flags, which the filter waits
 * for. Before the child runs its first instruction, it has lost its descriptors, its capabilities and what the
 * template's sandbox let it write to.
 *
 *   template PID TIME PARENT THREADS
 *
 * Stops the process PID, started at TIME (field 22 of its `stat`), and prints `held`. Once that has called `fork`,
 * prints the name of its socket, or `not` and why that process cannot be a template. THREADS: how many threads it has
 * besides its first one; only a runtime with an event loop has some (Node). They are stopped for good while they wait,
 * and no child has them. Gets requests (starts.h) from PARENT with the words
 *
 *   NUMBER PORTS USER PROCESSES STEP...
 *
 * PORTS: listened on in the child's network, or what transparent.h names, and handed over with NUMBER. USER: the
 * child's user, inside and in the template's sandbox. PROCESSES: the maximum for that user, 0 for no limit. Steps: see
 * child-mounts.h. The child is a namespace's first process. It gets descriptors 1 to 3, in this order, from the
 * listener with the abstract name `dari` in its network.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "programs.h"
#include "starts.h"
#include "traced.h"
#include "threads.h"
#include "shared.h"
#include "strip.h"
#include "child-mounts.h"
#include "child-network.h"

enum {
  FORK_FLAGS = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD,
  OWN_FLAGS = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
  TEMPLATE_OPTIONS = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK |
                     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE,
  CHILD_OPTIONS = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD,
  STREAMS = 3,
  /* Everything else waits meanwhile. */
  FORKS_WITHIN_S = 2,
  CHILD_WITHIN_S = 8,
  ANY_PID = 2,
  STOPS_PER_S = 200,
};

static pid_t template;
/* It is no longer forked; it no longer exists. */
static int is_over, is_gone;

static void say(const char *text) {
  printf("%s\n", text);
  if (fflush(stdout) != 0) leave();
}

static void refuse(const char *why) {
  printf("not %s\n", why);
  fflush(stdout);
  exit(0);
}

/* Python from 3.12 on reads there how many threads it has. The process has one thread and its own memory, so the kernel
 * will read the same name. */
static int opens_its_state(const struct __ptrace_syscall_info *info) {
  static const char name[] = "/proc/self/stat";
  for (size_t at = 0; at < sizeof name; at += sizeof(long)) {
    errno = 0;
    long found = ptrace(PTRACE_PEEKDATA, template, (void *)(info->entry.args[1] + at), NULL);
    if (errno != 0 || memcmp(&found, name + at, sizeof found) != 0) return 0;
  }
  return (info->entry.args[2] & O_ACCMODE) == O_RDONLY;
}

/* A call that concerns only an open file. */
static int names_nothing(const struct __ptrace_syscall_info *info) {
  errno = 0;
  long found = ptrace(PTRACE_PEEKDATA, template, (void *)info->entry.args[1], NULL);
  return errno == 0 && (found & 0xff) == 0 && (info->entry.args[3] & AT_EMPTY_PATH) != 0;
}

/* What the template does between two forks: it remembers one and prepares the next. It could only read from its own
 * descriptors, to which no other process writes. */
static int is_between_forks(const struct __ptrace_syscall_info *info) {
  static const long harmless[] = {SYS_rt_sigprocmask, SYS_gettid, SYS_futex, SYS_munmap, SYS_brk, SYS_madvise,
                                  SYS_getpid, SYS_sched_yield, SYS_clock_gettime, SYS_read, SYS_close, SYS_fstat};
  long number = (long)info->entry.nr;
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
    if (number == harmless[i]) return 1;
  if (number == SYS_openat) return opens_its_state(info);
  if (number == SYS_newfstatat) return names_nothing(info);
  /* Its own memory, as any allocation needs. */
  return number == SYS_mmap && (info->entry.args[3] & (MAP_SHARED | MAP_ANONYMOUS)) == MAP_ANONYMOUS;
}

/* Stops it wherever it runs. */
static void halt(void) {
  struct timespec end = in_seconds(FORKS_WITHIN_S);
  if (ptrace(PTRACE_INTERRUPT, template, NULL, NULL) == 0 && await_stop_until(template, &end) == -1) is_gone = 1;
}

/* Runs it to its next call of fork and stops it there. Returns NULL, or why that is not possible if it is elsewhere or
 * has ended. A process that has forked does not learn its child's pid, which would reveal how many processes others
 * have had. */
static const char *run_to_fork(int has_forked) {
  int signal = 0, is_answered = 0;
  struct timespec end = in_seconds(FORKS_WITHIN_S);
  for (;;) {
    struct __ptrace_syscall_info info;
    int status;
    if (ptrace(PTRACE_SYSCALL, template, NULL, (void *)(long)signal) != 0) return "it has ended";
    status = has_forked ? await_stop_until(template, &end) : await_stop(template);
    if (status == IS_LATE) return halt(), "it does not fork";
    if (status < 0) return is_gone = 1, "it has ended";
    signal = 0;
    if (event_of(status) == PTRACE_EVENT_STOP) continue;
    if (event_of(status) != 0) return "its code starts processes or threads";
    if (WSTOPSIG(status) != AT_CALL) {
      /* Signals of ended children are dropped. */
      signal = WSTOPSIG(status) == SIGCHLD ? 0 : WSTOPSIG(status);
      if (signal != 0 && has_forked) return "it was sent a signal";
      continue;
    }
    if (ptrace(PTRACE_GET_SYSCALL_INFO, template, (void *)sizeof info, &info) < 0) return "the kernel is too old";
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) {
      if (has_forked && !is_answered && set_result(template, ANY_PID) != 0) return "it has ended";
      is_answered = 1;
      continue;
    }
    if (info.arch == AUDIT && info.entry.nr == SYS_clone) {
      if (info.entry.args[0] == FORK_FLAGS) return NULL;
      /* Such a process would not be traced. */
      if ((info.entry.args[0] & CLONE_UNTRACED) != 0) return "its code starts processes or threads";
    }
    if (has_forked && !is_between_forks(&info)) return "it does other things than to fork";
  }
}

/* Forks a child and stops it before its first instruction; its number is in `child` once it exists. Returns -1 with
 * errno. The template is stopped after its fork. */
static int fork_template(pid_t *child) {
  unsigned long number = 0;
  int status = 0;
  if (set_argument(template, FORK_FLAGS | OWN_FLAGS) != 0) return -1;
  /* Its filter asks for the flags here (on arm64 it sees the earlier ones). Then there is a child, or the call has
   * failed. */
  for (int step = 0; step < 2; step++) {
    if (ptrace(PTRACE_SYSCALL, template, NULL, NULL) != 0) return -1;
    if ((status = await_stop(template)) < 0 && !is_late) leave();
    if (status < 0) return -1;
    if (event_of(status) != PTRACE_EVENT_SECCOMP) break;
  }
  if (event_of(status) != PTRACE_EVENT_FORK) {
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, template, (void *)sizeof info, &info) < 0) return -1;
    errno = info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.is_error ? (int)-info.exit.rval : EPROTO;
    return -1;
  }
  if (ptrace(PTRACE_GETEVENTMSG, template, NULL, &number) != 0) return -1;
  *child = (pid_t)number;
  if (await_stop(*child) < 0) return errno = ESRCH, -1;
  return ptrace(PTRACE_SETOPTIONS, *child, NULL, (void *)CHILD_OPTIONS) == 0 ? 0 : -1;
}

/* Runs in a separate process, which ends in the child's namespaces. */
static int set_up(pid_t child, char **words) {
  int status = 0;
  pid_t self = getpid(), helper = fork();
  if (helper == 0) {
    /* Without its parent it would use a pid that may belong to another process by then. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != self) _exit(ESRCH);
    _exit(set_up_child(template, child, atoi(words[0]), words + 2));
  }
  if (helper < 0) return -1;
  while (waitpid(helper, &status, 0) != helper) {
    if (errno != EINTR) return -1;
    if (is_late) kill(helper, SIGKILL);
  }
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
  return errno == 0 ? 0 : -1;
}

static int make_child(struct start *one, char **words) {
  if (is_over) return errno = ESRCH, -1;
  if (fork_template(&one->pid) != 0) return -1;
  if (open_network(one, words[1]) != 0 || set_up(one->pid, words) != 0) return -1;
  if (strip(one->pid) != 0) return -1;
  return ptrace(PTRACE_CONT, one->pid, NULL, NULL) == 0 ? 0 : -1;
}

/* No other process gets its descriptors any more. */
static void keep_to_itself(struct start *one) {
  if (one->channel < 0) return;
  close(one->channel);
  one->channel = -1;
  close_all(one->descriptors, count);
}

/* Its pid cannot be reused yet. */
static int is_there(pid_t pid) {
  siginfo_t info;
  return waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL) == 0;
}

static void give_up(struct start *one, int error) {
  if (one->pid > 0 && is_there(one->pid)) {
    kill(one->pid, SIGKILL);
    while (await_stop(one->pid) >= 0) {}
  }
  one->pid = 0;
  if (one->channel < 0) close_all(one->descriptors, count);
  else keep_to_itself(one);
  tell(one, "error", error);
}

static void start_program(struct start *one, char **words) {
  one->number = strtol(words[0], NULL, 10);
  errno = 0;
  limit_waits(CHILD_WITHIN_S);
  int is_made = make_child(one, words) == 0, error = is_late ? ETIMEDOUT : errno;
  limit_waits(0);
  if (is_made) tell(one, "pid", one->pid);
  else give_up(one, error > 0 ? error : EPROTO);
  /* A template that has failed once, or does something else, stays stopped from here on; its children need it. */
  if (is_over) return;
  is_over = !is_made || run_to_fork(1) != NULL;
  /* The signal of children that have ended meanwhile was taken. */
  somebody_died = SIGCHLD;
  if (is_gone) leave();
}

/* The child asks for its descriptors. */
static void attend(struct start *one) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  int fd = accept4(one->channel, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == one->pid)
    send_with(fd, "\n", 1, one->descriptors, count);
  if (fd >= 0) close(fd);
  keep_to_itself(one);
}

/* Delays a process that sends signals endlessly, because no sandbox pays for this program's time. */
static void slow_down(void) {
  static time_t second;
  static int stops;
  struct timespec now, rest = {.tv_nsec = 1000000};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (now.tv_sec != second) stops = 0;
  second = now.tv_sec;
  if (++stops > STOPS_PER_S) nanosleep(&rest, NULL);
}

/* It has stopped for a signal, which it gets, or because it was told to. Whether it has ended is checked later. */
static void let_go_on(pid_t pid) {
  siginfo_t info = {0};
  slow_down();
  if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | __WALL) != 0 || info.si_pid == 0) return;
  int event = info.si_status >> 8, number = info.si_status & 0xff;
  int is_group_stop = event == PTRACE_EVENT_STOP && number != SIGTRAP;
  ptrace(is_group_stop ? PTRACE_LISTEN : PTRACE_CONT, pid, NULL, (void *)(long)(event == 0 ? number : 0));
}

/* An ended process keeps its pid until no request can mean it. */
static void look_for_the_dead(void) {
  int status;
  /* The kernel tells a process's end once its other threads were waited for. */
  for (int i = 0; i < stopped_count; i++) waitpid(stopped[i], &status, __WALL | WNOHANG);
  if (waitpid(template, &status, __WALL | WNOHANG) == template && !WIFSTOPPED(status)) leave();
  for (int at = used; at-- > 0;) {
    struct start *one = starts[at];
    siginfo_t info = {0};
    if (one->pid <= 0 || one->has_ended) continue;
    if (waitid(P_PID, (id_t)one->pid, &info, WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL) != 0) continue;
    if (info.si_pid == 0) continue;
    if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
      let_go_on(one->pid);
      continue;
    }
    one->has_ended = 1;
    keep_to_itself(one);
    if (one->control >= 0) {
      tell(one, info.si_code == CLD_EXITED ? "exit" : "signal", info.si_status);
      continue;
    }
    let_go(one->pid);
    drop(at);
  }
}

static void let_go(pid_t pid) { waitpid(pid, NULL, __WALL); }

/* Checks the start time, so that no other process with the same pid is stopped. */
static void seize(const char *time, int expected) {
  const char *why;
  if (ptrace(PTRACE_SEIZE, template, NULL, NULL) != 0) refuse("the kernel does not let it be held");
  if (ptrace(PTRACE_INTERRUPT, template, NULL, NULL) != 0 || await_stop(template) < 0) refuse("it has ended");
  if (!was_started_at(template, time)) refuse("it has ended");
  if (ptrace(PTRACE_SETOPTIONS, template, NULL, (void *)TEMPLATE_OPTIONS) != 0) refuse("the kernel is too old");
  if ((why = stop_threads(template, expected, TEMPLATE_OPTIONS)) != NULL) refuse(why);
  /* From here on, it is traced for each process that it starts. */
  if (!is_alone(template)) refuse("its code has started a process");
}

static void prepare(const char *time, int expected) {
  const char *channel = getenv("NODE_CHANNEL_FD"), *why;
  if (channel == NULL) errno = EINVAL, fail("there is no channel");
  parent_channel = fcntl(atoi(channel), F_DUPFD_CLOEXEC, COUNT_MAX + 2);
  if (parent_channel < 0) fail("descriptors");
  seize(time, expected);
  /* A requested child is waited for, so this program does not run with a lower priority than its parent. */
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, (id_t)parent));
  say("held");
  if ((why = run_to_fork(0)) != NULL) refuse(why);
  if ((why = what_is_shared(template, STREAMS + 1, stopped_count)) != NULL) refuse(why);
  /* The parent finds the listener by a name that is known only in its network. */
  open_listener();
  enter_own_network();
}

int template_main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "template: template PID TIME PARENT THREADS\n");
    return 1;
  }
  count = STREAMS;
  template = atoi(argv[1]);
  parent = atoi(argv[3]);
  prepare(argv[2], atoi(argv[4]));
  for (;;) turn();
}
