/* Limits what a sandbox takes of resources that the kernel counts per host user, or per machine.
 *
 * Reads lines `PID INSTANCES WATCHES TERMINALS`. The first two limit inotify, in the process's user namespace, if that
 * is not this program's: the kernel counts a namespace's usage for each namespace above it as well. The third limits
 * the terminals of its /dev/pts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "programs.h"

enum { AGAIN_AFTER_MS = 10, TRIES_MAX = 500 };

static void set(const char *name, const char *value) {
  char path[96];
  snprintf(path, sizeof path, "/proc/sys/user/%s", name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, value, strlen(value)) < 0) _exit(1);
  close(fd);
}

/* The directory of the process's namespaces, because its path does not work from inside them. */
static int namespaces = -1;

static int open_namespace(const char *name) { return openat(namespaces, name, O_RDONLY | O_CLOEXEC); }

/* Opens the user namespace directly below this program's that contains the process. */
static int open_users(void) {
  struct stat own, found;
  int users = open_namespace("user"), above;
  if (users < 0 || stat("/proc/self/ns/user", &own) != 0) return -1;
  while ((above = ioctl(users, NS_GET_PARENT)) >= 0 && fstat(above, &found) == 0 && found.st_ino != own.st_ino)
    users = above;
  return users;
}

/* Returns 0 once the terminals are limited. Before the sandbox has its own /dev/pts there is none, or the host's, which
 * refuses. */
static int bound_terminals(const char *terminals) {
  char options[96];
  int mounts = open_namespace("mnt"), result;
  if (mounts < 0) _exit(1);
  snprintf(options, sizeof options, "ptmxmode=0666,mode=620,max=%s", terminals);
  result = setns(mounts, CLONE_NEWNS);
  if (result == 0) result = mount(NULL, "/dev/pts", NULL, MS_REMOUNT | MS_NOSUID | MS_NOEXEC, options);
  close(mounts);
  return result;
}

/* Runs in a separate process, which ends in those namespaces. Entering the own user namespace fails. */
static void bound(int pid, const char *instances, const char *watches, const char *terminals) {
  const struct timespec rest = {.tv_nsec = AGAIN_AFTER_MS * 1000000L};
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns", pid);
  namespaces = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int users = open_users();
  if (users < 0 || setns(users, CLONE_NEWUSER) != 0) _exit(1);
  set("max_inotify_instances", instances);
  set("max_inotify_watches", watches);
  for (int tries = 0; tries < TRIES_MAX && bound_terminals(terminals) != 0; tries++) nanosleep(&rest, NULL);
  _exit(0);
}

int share_main(int argc, char **argv) {
  (void)argc, (void)argv;
  char line[160], instances[32], watches[32], terminals[32];
  int pid;
  signal(SIGCHLD, SIG_IGN);
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "%d %31s %31s %31s", &pid, instances, watches, terminals) != 4) continue;
    if (fork() == 0) bound(pid, instances, watches, terminals);
  }
  return 0;
}
