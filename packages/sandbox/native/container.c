/* Stands on both sides of a container's wall, whichever OCI runtime builds it.
 *
 *   container outside PIDFILE FIRST [ENTER...] -- RUNTIME ARGUMENT...
 *
 * starts a runtime that leaves its container running, says `init PID` on CONTROL once there is one, and ends like it.
 * ENTER are the files by which a process enters control groups: opened here as descriptors FIRST and up, because
 * inside they are on no path.
 *
 *   container inside FILTER FIRST COUNT PROGRAM ARGUMENT...
 *
 * is the container's first process: enters the groups by those descriptors, reads the program's environment on
 * CONTROL (each variable ended by NUL, an empty one after the last), sets the filter of system calls (`-`: none) and
 * becomes the parent of the program. It ends when the program does, or when the worker's end of CONTROL is closed,
 * however that came; with it the kernel ends everything in the container.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL = 4, FAILED = 125, BYTES_MAX = 4 << 20, VARIABLES_MAX = 8192, INSTRUCTIONS_MAX = 4096 };

static char bytes[BYTES_MAX];
static char *variables[VARIABLES_MAX + 1];

static void fail(const char *what) {
  dprintf(2, "sandbox: %s: %s\n", what, strerror(errno));
  exit(FAILED);
}

static int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

static void close_from(int first) {
  struct rlimit files;
  int fd, end = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 65536 ? (int)files.rlim_cur : 65536;
  if (close_range((unsigned)first, ~0U, 0) == 0) return;
  for (fd = first; fd < end; fd++) close(fd);
}

/* Of what the container inherits, this process keeps the control only: what else is left open never ends for others. */
static void keep_control(void) {
  int fd;
  for (fd = 0; fd < CONTROL; fd++) close(fd);
  close_from(CONTROL + 1);
}

/* ---- outside ---- */

static pid_t read_pid(const char *file) {
  char text[32] = {0};
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  return (pid_t)atoi(text);
}

static int outside(int argc, char **argv) {
  int at = 4, first, status = 0, ended = FAILED << 8;
  pid_t runtime, init, pid;
  if (argc < 6) return FAILED;
  first = atoi(argv[3]);
  close_from(first);
  for (; at < argc && strcmp(argv[at], "--") != 0; at++)
    if (open(argv[at], O_WRONLY) != first + at - 4) fail(argv[at]);
  if (at + 1 >= argc) return FAILED;
  /* The runtime ends once it has started the container, whose first process is then this one's to wait for. */
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) fail("subreaper");
  runtime = fork();
  if (runtime < 0) fail("fork");
  if (runtime == 0) {
    int nothing[2];
    /* Runtimes give the container's root what they have for 0; the host's /dev/null is not to be had. */
    if (pipe(nothing) != 0 || dup2(nothing[0], 0) < 0) fail("pipe");
    close(nothing[0]);
    close(nothing[1]);
    execv(argv[at + 1], argv + at + 1);
    fail(argv[at + 1]);
  }
  keep_control();
  while (waitpid(runtime, &status, 0) < 0 && errno == EINTR) {}
  init = status == 0 ? read_pid(argv[2]) : 0;
  if (init > 0) dprintf(CONTROL, "init %d\n", (int)init);
  while ((pid = waitpid(-1, &status, 0)) > 0 || errno == EINTR)
    if (pid > 0 && pid == init) ended = status;
  return code_of(ended);
}

/* ---- inside ---- */

static void enter_groups(int first, int count) {
  int fd;
  for (fd = first; fd < first + count; fd++)
    if (write(fd, "0", 1) != 1 || close(fd) != 0) fail("the sandbox's control group cannot be entered");
}

static void read_environment(void) {
  size_t length = 0, at;
  int count = 0;
  /* Nothing is sent after the empty variable. */
  while (length < 2 || bytes[length - 1] != 0 || bytes[length - 2] != 0) {
    ssize_t got = read(CONTROL, bytes + length, sizeof bytes - length);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) fail("the program's environment");
    if (got == 0) exit(code_of(SIGKILL));
    length += (size_t)got;
    if (length == sizeof bytes) errno = E2BIG, fail("the program's environment");
  }
  for (at = 0; at < length - 1; at += strlen(bytes + at) + 1) {
    if (count == VARIABLES_MAX) errno = E2BIG, fail("the program's environment");
    variables[count++] = bytes + at;
  }
}

static void set_filter(const char *file) {
  static struct sock_filter instructions[INSTRUCTIONS_MAX];
  struct sock_fprog filter = {0, instructions};
  int fd;
  ssize_t length;
  if (strcmp(file, "-") == 0) return;
  fd = open(file, O_RDONLY | O_CLOEXEC);
  length = fd < 0 ? -1 : read(fd, instructions, sizeof instructions);
  if (length <= 0 || (size_t)length == sizeof instructions) fail(file);
  close(fd);
  filter.len = (unsigned short)((size_t)length / sizeof *instructions);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no new privileges");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) fail("the filter of system calls");
}

/* The program's exit status when it has ended. */
static int reap(int signals, pid_t program, int *status) {
  struct signalfd_siginfo info;
  int each, ended = 0;
  pid_t pid;
  if (read(signals, &info, sizeof info) < 0) return 0;
  while ((pid = waitpid(-1, &each, WNOHANG)) > 0)
    if (pid == program) ended = 1, *status = each;
  return ended;
}

static int attend(pid_t program, int signals) {
  int status = SIGKILL;
  struct pollfd watched[2] = {{CONTROL, POLLIN, 0}, {signals, POLLIN, 0}};
  for (;;) {
    char ignored[64];
    if (poll(watched, 2, -1) < 0) continue;
    if (watched[1].revents != 0 && reap(signals, program, &status)) break;
    if (watched[0].revents != 0 && read(CONTROL, ignored, sizeof ignored) <= 0) break;
  }
  return code_of(status);
}

static int inside(int argc, char **argv) {
  sigset_t children;
  pid_t program;
  int signals;
  if (argc < 6) return FAILED;
  enter_groups(atoi(argv[3]), atoi(argv[4]));
  fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
  read_environment();
  /* Nothing of this process is the program's, which has the same user. */
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  set_filter(argv[2]);
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  signals = signalfd(-1, &children, SFD_CLOEXEC);
  if (signals < 0) fail("signals");
  program = fork();
  if (program < 0) fail("fork");
  if (program == 0) {
    sigprocmask(SIG_UNBLOCK, &children, NULL);
    execve(argv[5], argv + 5, variables);
    fail(argv[5]);
  }
  /* Away from the descriptors that are closed next. */
  signals = dup2(signals, 0);
  for (int fd = 1; fd < CONTROL; fd++) close(fd);
  close_from(CONTROL + 1);
  return attend(program, signals);
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "outside") == 0) return outside(argc, argv);
  if (argc > 2 && strcmp(argv[1], "inside") == 0) return inside(argc, argv);
  fprintf(stderr, "sandbox: container outside PIDFILE FIRST [ENTER...] -- RUNTIME ARGUMENT...\n"
                  "         container inside FILTER FIRST COUNT PROGRAM ARGUMENT...\n");
  return FAILED;
}
