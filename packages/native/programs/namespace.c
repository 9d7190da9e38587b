/* Runs a program in its own user namespace and mount namespace, as the same user and with all capabilities there.
 *
 *   namespace try|run UIDS GIDS PROGRAM [ARGUMENT...]
 *
 * UIDS and GIDS are START:COUNT, a range of /etc/subuid and of /etc/subgid that newuidmap and newgidmap map from 58000
 * on, or `-` for the own id only. `run` becomes PROGRAM with these arguments; `try` does the same up to that point,
 * executes itself instead of PROGRAM, and exits with 0 if it still has the capabilities. Both exit with 125 and one
 * line on standard error if a step fails.
 *
 * The user keeps its id, because PostgreSQL refuses to run as 0. So the capabilities are ambient: only these survive
 * when a user other than 0 executes a program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "programs.h"

enum { FAILED = 125, FIRST_MAPPED_ID = 58000, CAPABILITIES_MAX = 63 };

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(FAILED);
}

static void write_file(const char *file, const char *text) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) fail(file);
  close(fd);
}

/* Executes newuidmap or newgidmap, which are set-user-id programs of the namespace that this helper is still in. */
static int write_map_for(pid_t target, const char *program, unsigned id, const char *range) {
  char paths[2][64], pid[16], own[16], first[16], start[16];
  const char *count = strchr(range, ':');
  int status = 0;
  if (count == NULL || count - range >= (long)sizeof start) return errno = EINVAL, -1;
  snprintf(paths[0], sizeof paths[0], "/usr/bin/%s", program);
  snprintf(paths[1], sizeof paths[1], "/usr/local/bin/%s", program);
  snprintf(pid, sizeof pid, "%d", target);
  snprintf(own, sizeof own, "%u", id);
  snprintf(first, sizeof first, "%d", FIRST_MAPPED_ID);
  snprintf(start, sizeof start, "%.*s", (int)(count - range), range);
  char *argv[] = {(char *)program, pid, own, own, "1", first, start, (char *)count + 1, NULL}, *env[] = {NULL};
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 2; i++) execve(paths[i], argv, env);
    _exit(FAILED);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : (errno = EPERM, -1);
}

/* Starts the helper that maps ranges. It must be forked before the namespace is created, and waits until that is done.
 * Returns the descriptor that tells it to continue. */
static int fork_mapper(const char *uids, const char *gids, pid_t *mapper) {
  pid_t target = getpid();
  unsigned uid = geteuid(), gid = getegid();
  int ends[2];
  char byte;
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  if ((*mapper = fork()) < 0) fail("fork");
  if (*mapper > 0) return close(ends[0]), ends[1];
  close(ends[1]);
  if (read(ends[0], &byte, 1) != 1) _exit(FAILED);
  if (write_map_for(target, "newuidmap", uid, uids) != 0) _exit(1);
  _exit(write_map_for(target, "newgidmap", gid, gids) == 0 ? 0 : 1);
}

static void map_ranges(int tell, pid_t mapper) {
  int status = 0;
  if (write(tell, "", 1) != 1 || waitpid(mapper, &status, 0) != mapper || status != 0)
    errno = EPERM, fail("newuidmap and newgidmap");
  close(tell);
}

static void map_own_id(unsigned uid, unsigned gid) {
  char map[64];
  snprintf(map, sizeof map, "%u %u 1", uid, uid);
  write_file("/proc/self/uid_map", map);
  /* The kernel requires this before a user may map its own group. */
  write_file("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "%u %u 1", gid, gid);
  write_file("/proc/self/gid_map", map);
}

static void enter(const char *uids, const char *gids) {
  unsigned uid = geteuid(), gid = getegid();
  int has_ranges = strcmp(uids, "-") != 0, tell = -1;
  pid_t mapper = 0;
  if (has_ranges) tell = fork_mapper(uids, gids, &mapper);
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) fail("unshare");
  if (has_ranges) map_ranges(tell, mapper);
  else map_own_id(uid, gid);
  /* What the host mounts later appears here; what is mounted here does not appear there. */
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) fail("mount");
}

static void raise_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &header, sets) != 0) fail("capget");
  for (int i = 0; i < 2; i++) sets[i].inheritable = sets[i].permitted;
  if (syscall(SYS_capset, &header, sets) != 0) fail("capset");
  for (int one = 0; one <= CAPABILITIES_MAX; one++) {
    if ((sets[one / 32].permitted & 1U << one % 32) == 0) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, one, 0, 0) != 0) fail("ambient capabilities");
  }
}

/* Checks after an exec whether the capability to mount still exists. */
static int check(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &header, sets) != 0) fail("capget");
  if ((sets[0].effective & 1U << CAP_SYS_ADMIN) == 0) errno = EPERM, fail("capabilities are lost at an exec");
  return 0;
}

int namespace_main(int argc, char **argv) {
  char *again[] = {"dari-native", argv[0], "check", NULL};
  if (argc == 2 && strcmp(argv[1], "check") == 0) return check();
  int is_trial = argc > 4 && strcmp(argv[1], "try") == 0;
  if (argc < 5 || (!is_trial && strcmp(argv[1], "run") != 0)) {
    fprintf(stderr, "dari-native: namespace try|run UIDS GIDS PROGRAM [ARGUMENT...]\n");
    return FAILED;
  }
  /* The kernel clears ambient capabilities when it executes a file that has its own capabilities. */
  if (getxattr(argv[4], "security.capability", NULL, 0) > 0)
    errno = EINVAL, fail("the file of Node has capabilities of its own (getcap)");
  enter(argv[2], argv[3]);
  raise_capabilities();
  execv(is_trial ? "/proc/self/exe" : argv[4], is_trial ? again : argv + 4);
  fail(argv[4]);
}
