/* Runs on both sides of a container, whichever OCI runtime starts it. The two sides share a socket, which is all that a
 * runtime passes on: the container's standard input.
 *
 *   container outside PIDFILE [ENTER...] -- RUNTIME ARGUMENT...
 *
 * Starts a runtime that leaves its container running, writes `init PID` to CONTROL once there is one, and ends like the
 * program in it. ENTER are the files with which a process enters control groups: opened here, because inside they have
 * no path, and sent inside with this process's descriptors from 3 on.
 *
 *   container inside FILTER PROCESSES PROGRAM ARGUMENT...
 *
 * Is the container's first process: receives the descriptors and enters the groups with them, reads the program's
 * environment on CONTROL (each variable terminated by NUL, an empty one after the last), sets the system call filter
 * and becomes the parent of the program. It ends when the program does, or when the worker's end of CONTROL is closed
 * for any reason; the kernel then kills everything in the container. It writes `full` to CONTROL once there are
 * PROCESSES of them (0: never), for a kernel that reports this to no process outside.
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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "close-from.h"
#include "programs.h"

enum { CONTROL = 4, FIRST_GROUP = 7, SENT_MAX = 32, FAILED = 125, LOOK_EVERY_MS = 200 };
enum { BYTES_MAX = 4 << 20, VARIABLES_MAX = 8192, INSTRUCTIONS_MAX = 4096 };

static char *variables[VARIABLES_MAX + 1];
/* This side's end of the socket. */
static int other_side = -1;

/* The exit status of a runtime's sandbox may differ from that of its first process, so that one is sent as well. */
static _Noreturn void leave(int code) {
  unsigned char byte = (unsigned char)code;
  if (other_side >= 0 && write(other_side, &byte, 1) < 0) {}
  exit(code);
}

static _Noreturn void fail(const char *what) {
  dprintf(2, "sandbox: %s: %s\n", what, strerror(errno));
  leave(FAILED);
}

static int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

static void close_others(int first) {
  if (close_from(first) != 0) fail("/proc/self/fd");
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

/* The request of the first process waits in the socket until then. */
static void send_descriptors(int socket, int first, int count) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(SENT_MAX * sizeof(int))];
  } control = {0};
  struct iovec part = {.iov_base = "", .iov_len = 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
  int i;
  message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
  for (i = 0; i < count; i++) ((int *)CMSG_DATA(&control.header))[i] = first + i;
  if (sendmsg(socket, &message, 0) != 1) fail("the container's descriptors");
}

/* A container that did not report its program's status was killed. */
static int code_of_container(int status) {
  unsigned char said;
  if (recv(other_side, &said, 1, MSG_DONTWAIT) == 1) return said;
  return status == 0 ? code_of(SIGKILL) : code_of(status);
}

/* The worker may have closed its end. */
static void say_init(pid_t init) {
  char line[32];
  int length = snprintf(line, sizeof line, "init %d\n", (int)init);
  if (send(CONTROL, line, (size_t)length, MSG_NOSIGNAL) < 0) {}
}

static int outside(int argc, char **argv) {
  int at = 3, status = 0, ended = FAILED << 8, sides[2];
  pid_t runtime, init, pid;
  close_others(FIRST_GROUP);
  for (; at < argc && strcmp(argv[at], "--") != 0; at++)
    if (open(argv[at], O_WRONLY) != FIRST_GROUP + at - 3) fail(argv[at]);
  if (at + 1 >= argc || FIRST_GROUP - 3 + at - 3 > SENT_MAX) return FAILED;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sides) != 0) fail("socketpair");
  send_descriptors(sides[0], 3, FIRST_GROUP - 3 + at - 3);
  /* The runtime ends once it has started the container. This process then waits for the container's first process. */
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) fail("subreaper");
  runtime = fork();
  if (runtime < 0) fail("fork");
  if (runtime == 0) {
    /* Runtimes give their descriptor 0 to the container's root, so it cannot be the host's /dev/null. */
    if (dup2(sides[1], 0) < 0) fail("dup2");
    close_others(3);
    execv(argv[at + 1], argv + at + 1);
    fail(argv[at + 1]);
  }
  /* Other open copies would never end for the other side. */
  other_side = dup2(sides[0], 0);
  for (int fd = 1; fd < CONTROL; fd++) close(fd);
  close_others(CONTROL + 1);
  while (waitpid(runtime, &status, 0) < 0 && errno == EINTR) {}
  init = status == 0 ? read_pid(argv[2]) : 0;
  if (init > 0) say_init(init);
  while ((pid = waitpid(-1, &status, 0)) > 0 || errno == EINTR)
    if (pid > 0 && pid == init) ended = status;
  return init > 0 ? code_of_container(ended) : FAILED;
}

/* ---- inside ---- */

/* Receives the descriptors under their numbers outside. Returns how many are groups'. */
static int take_descriptors(void) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(SENT_MAX * sizeof(int))];
  } control = {0};
  char byte;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
  int i, count, nothing[2];
  message.msg_controllen = sizeof control;
  close_others(3);
  /* If some did not arrive, nothing runs: the last ones limit it. */
  if (recvmsg(0, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL || (message.msg_flags & MSG_CTRUNC) != 0)
    fail("the container's descriptors");
  count = (int)((control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int));
  for (i = 0; i < count; i++)
    if (((int *)CMSG_DATA(&control.header))[i] != 3 + i) fail("the numbers of the container's descriptors");
  other_side = fcntl(0, F_DUPFD_CLOEXEC, 3);
  if (other_side < 0 || pipe(nothing) != 0 || dup2(nothing[0], 0) < 0) fail("pipe");
  close(nothing[0]);
  close(nothing[1]);
  return 3 + count - FIRST_GROUP;
}

static void enter_groups(int count) {
  int fd;
  for (fd = FIRST_GROUP; fd < FIRST_GROUP + count; fd++)
    if (write(fd, "0", 1) != 1 || close(fd) != 0) fail("the sandbox's control group cannot be entered");
}

static void read_environment(void) {
  char *bytes = malloc(BYTES_MAX);
  size_t length = 0, at;
  int count = 0;
  if (bytes == NULL) fail("the program's environment");
  /* Nothing is sent after the empty variable. */
  while (length < 2 || bytes[length - 1] != 0 || bytes[length - 2] != 0) {
    ssize_t got = read(CONTROL, bytes + length, BYTES_MAX - length);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) fail("the program's environment");
    if (got == 0) leave(code_of(SIGKILL));
    length += (size_t)got;
    if (length == BYTES_MAX) errno = E2BIG, fail("the program's environment");
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
  fd = open(file, O_RDONLY | O_CLOEXEC);
  length = fd < 0 ? -1 : read(fd, instructions, sizeof instructions);
  if (length <= 0 || (size_t)length == sizeof instructions) fail(file);
  close(fd);
  filter.len = (unsigned short)((size_t)length / sizeof *instructions);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no new privileges");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) fail("the filter of system calls");
}

/* Returns whether the program has ended, with its exit status. */
static int reap(int signals, pid_t program, int *status) {
  struct signalfd_siginfo info;
  int each, ended = 0;
  pid_t pid;
  if (read(signals, &info, sizeof info) < 0) return 0;
  while ((pid = waitpid(-1, &each, WNOHANG)) > 0)
    if (pid == program) ended = 1, *status = each;
  return ended;
}

/* Checks several times a second and reports once. Returns 0 when done. */
static int watch_processes(int processes) {
  struct sysinfo now;
  if (processes == 0 || sysinfo(&now) != 0 || now.procs < processes) return processes;
  if (send(CONTROL, "full\n", 5, MSG_NOSIGNAL) < 0) {}
  return 0;
}

static int attend(pid_t program, int signals, int processes) {
  int status = SIGKILL;
  struct pollfd watched[2] = {{CONTROL, POLLIN, 0}, {signals, POLLIN, 0}};
  for (;;) {
    char ignored[64];
    int ready = poll(watched, 2, processes == 0 ? -1 : LOOK_EVERY_MS);
    processes = watch_processes(processes);
    if (ready <= 0) continue;
    if (watched[1].revents != 0 && reap(signals, program, &status)) break;
    if (watched[0].revents != 0 && read(CONTROL, ignored, sizeof ignored) <= 0) break;
  }
  return code_of(status);
}

static int inside(int argc, char **argv) {
  sigset_t children;
  pid_t program;
  int signals;
  if (argc < 5) return FAILED;
  enter_groups(take_descriptors());
  fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
  read_environment();
  /* The program has the same user, so it must not read this process. */
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
    execve(argv[4], argv + 4, variables);
    fail(argv[4]);
  }
  /* Away from the descriptors that are closed next. */
  signals = dup2(signals, 0);
  other_side = dup2(other_side, 1);
  for (int fd = 2; fd < CONTROL; fd++) close(fd);
  close_others(CONTROL + 1);
  leave(attend(program, signals, atoi(argv[3])));
  return FAILED;
}

int container_main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "outside") == 0) return outside(argc, argv);
  if (argc > 2 && strcmp(argv[1], "inside") == 0) return inside(argc, argv);
  fprintf(stderr, "sandbox: container outside PIDFILE [ENTER...] -- RUNTIME ARGUMENT...\n"
                  "         container inside FILTER PROCESSES PROGRAM ARGUMENT...\n");
  return FAILED;
}
