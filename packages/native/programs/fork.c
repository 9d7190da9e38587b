/* A module for Node: forks a process that has loaded an agent, once for each turn. template.c stops the process at each
 * fork and gives each child its own sandbox, without descriptors, before the child continues.
 *
 *   forkForEachTurn()   returns in each child, with output, log and channel at descriptors 1 to 3; never returns in
 *                       the process itself. Each child is the second process of its namespace
 *   exit(CODE)          ends the process without Node's shutdown, which waits for threads that a child does not have
 *
 * The process also preloads it (LD_PRELOAD), for the addresses of V8's memory: see `mmap` below.
 *
 * The first fork is a bare system call: handlers of the C library and of libuv would open descriptors 0 to 3, which
 * the child still has to get. The second one is the C library's. V8 excludes its memory from forks, because that makes
 * starting programs faster; a child needs it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "node-api.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct uv_loop_s;
int napi_get_uv_event_loop(napi_env, struct uv_loop_s **);
int uv_loop_fork(struct uv_loop_s *);

enum {
  STREAMS = 3,
  FIRST_FREE = STREAMS + 1,
  /* The result of each fork in a stopped template, whatever the child's process id is. */
  ANSWER = 2,
  SIGNALS = 64,
  FAILED = 1,
  PAGE = 4096,
  /* The most that huge pages may delay the first fork. */
  COLLAPSE_MS = 500,
};
static const unsigned long HUGE_PAGE = 2UL << 20;

/* The largest piece of memory whose address is chosen here. V8 asks for pieces of 256 KiB; the range for compiled code
 * is larger, and must be near the program. */
static const size_t placed_max = 64UL << 20;

/* V8 asks for each piece of its heap at a random address. Each then needs page tables of its own, which every fork
 * copies: 5 MB for a heap of 110 MB. Without its wish, the kernel places the pieces side by side. */
void *mmap(void *wish, size_t size, int protection, int flags, int fd, off_t offset) {
  int must = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
  return (void *)syscall(SYS_mmap, must || size > placed_max ? wish : NULL, size, protection, flags, fd, offset);
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

/* What the agent starts is not Node. An agent's own value stays. */
__attribute__((constructor)) static void preload_nowhere_else(void) {
  static const char own[] = "/fork.node";
  const char *value = getenv("LD_PRELOAD");
  size_t size = value == NULL ? 0 : strlen(value);
  if (size >= sizeof own - 1 && strcmp(value + size - (sizeof own - 1), own) == 0) unsetenv("LD_PRELOAD");
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Puts memory into huge pages where at least half of it is in use. A fork then copies one entry instead of 512, and the
 * end of a child frees one. A page that a child writes is still copied alone. Kernels before 6.1 refuse. */
static void collapse(unsigned long from, unsigned long to, long until_ms) {
  unsigned char resident[512];
  for (from = (from + HUGE_PAGE - 1) & -HUGE_PAGE; from + HUGE_PAGE <= to; from += HUGE_PAGE) {
    size_t used = 0;
    if (now_ms() > until_ms || mincore((void *)from, HUGE_PAGE, resident) != 0) return;
    for (size_t i = 0; i < sizeof resident; i++) used += resident[i] & 1;
    if (used * 2 >= sizeof resident) madvise((void *)from, HUGE_PAGE, MADV_COLLAPSE);
  }
}

/* Prepares the memory for forks. */
static void include_memory(void) {
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[4096];
  long until_ms = sysconf(_SC_PAGESIZE) == PAGE ? now_ms() + COLLAPSE_MS : 0;
  if (maps == NULL) _exit(FAILED);
  while (fgets(line, sizeof line, maps) != NULL) {
    char *rest;
    unsigned long from = strtoul(line, &rest, 16), to = *rest == '-' ? strtoul(rest + 1, &rest, 16) : 0;
    /* " rwxp": the kernel's own mappings refuse, and need nothing. */
    if (to <= from || strlen(rest) <= 4 || rest[4] != 'p') continue;
    madvise((void *)from, to - from, MADV_DOFORK);
    /* Device 00:00: memory of no file. */
    if (rest[2] == 'w' && strstr(rest, " 00:00 ") != NULL) collapse(from, to, until_ms);
  }
  fclose(maps);
}

/* Returns in each child, stripped of its descriptors. */
static void fork_forever(void) {
  static pid_t own;
  for (;;) {
    long child = syscall(SYS_clone, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, 0, &own, 0);
    if (child == 0) return;
    /* Without a tracer that stops it, this would fork endlessly. */
    if (child != ANSWER) _exit(FAILED);
  }
}

/* Takes the descriptors from the listener in the child's own network. Their numbers are all above those they get. */
static void take_descriptors(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0dari"};
  char byte, space[CMSG_SPACE(STREAMS * sizeof(int))] = {0};
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  struct cmsghdr *header = (struct cmsghdr *)space;
  int taken[STREAMS], ends[2];
  int low = socket(AF_UNIX, SOCK_STREAM, 0), link = fcntl(low, F_DUPFD, FIRST_FREE);
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + 5;
  if (link < 0 || connect(link, (struct sockaddr *)&name, size) != 0) _exit(FAILED);
  if (syscall(SYS_recvmsg, link, &message, 0) != 1 || header->cmsg_len != CMSG_LEN(sizeof taken)) _exit(FAILED);
  memcpy(taken, CMSG_DATA(header), sizeof taken);
  for (int i = 0; i < STREAMS; i++)
    if ((taken[i] = fcntl(taken[i], F_DUPFD, FIRST_FREE)) < 0) _exit(FAILED);
  for (int i = 0; i < STREAMS; i++)
    if (dup2(taken[i], i + 1) < 0) _exit(FAILED);
  /* Standard input: the read end of a pipe without a writer. */
  if (pipe2(ends, O_CLOEXEC) != 0 || dup2(ends[0], 0) < 0) _exit(FAILED);
  syscall(SYS_close_range, FIRST_FREE, ~0U, 0);
}

/* Does what the first process of a namespace must: signals have their default effect, and orphans are reaped. */
static void be_first_process(pid_t guest) {
  for (int number = 1; number <= SIGNALS; number++) signal(number, SIG_DFL);
  syscall(SYS_close_range, 0, ~0U, 0);
  for (int status;;) {
    pid_t ended = wait(&status);
    if (ended == guest) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (ended < 0 && errno != EINTR) _exit(FAILED);
  }
}

static napi_value fork_for_each_turn(napi_env env, napi_callback_info info) {
  struct sigaction ignored = {.sa_handler = SIG_IGN}, at_death;
  struct uv_loop_s *loop = NULL;
  (void)info;
  if (napi_get_uv_event_loop(env, &loop) != 0) return NULL;
  include_memory();
  /* No one waits for ended children. */
  sigaction(SIGCHLD, &ignored, &at_death);
  fork_forever();
  sigaction(SIGCHLD, &at_death, NULL);
  take_descriptors();
  pid_t guest = fork();
  if (guest < 0) _exit(FAILED);
  if (guest > 0) be_first_process(guest);
  if (uv_loop_fork(loop) != 0) _exit(FAILED);
  return NULL;
}

static napi_value exit_at_once(napi_env env, napi_callback_info info) {
  int32_t code = FAILED;
  napi_get_value_int32(env, first_argument(env, info), &code);
  _exit(code);
}

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  static const struct exported all[] = {{"forkForEachTurn", fork_for_each_turn}, {"exit", exit_at_once}};
  return export_all(env, exports, all, sizeof all / sizeof *all);
}
