/* Checks for what a process would share with its children, or what would make them unreliable. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include "threads.h"

/* Returns the number of entries; -1 if they cannot be read. */
static int count_entries(const char *path) {
  int number = 0;
  DIR *dir = opendir(path);
  if (dir == NULL) return -1;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) number += entry->d_name[0] != '.';
  closedir(dir);
  return number;
}

static int is_null(const struct stat *found) {
  return S_ISCHR(found->st_mode) && found->st_rdev == makedev(1, 3);
}

/* Returns whether it is a descriptor that only this process can use: files, and everything that refers to files, lead
 * to others. */
static int is_stream(const struct stat *found) {
  return S_ISSOCK(found->st_mode) || S_ISFIFO(found->st_mode) || is_null(found);
}

/* Returns whether it is a descriptor of an event loop, which each child makes for itself. */
static int is_of_loop(int dir, const char *name, const struct stat *found) {
  char text[64] = {0};
  if (S_ISFIFO(found->st_mode) || is_null(found)) return 1;
  if (readlinkat(dir, name, text, sizeof text - 1) < 0) return 0;
  return strcmp(text, "anon_inode:[eventpoll]") == 0 || strcmp(text, "anon_inode:[eventfd]") == 0;
}

/* Returns whether it has only streams with numbers below `below`, and, with `has_loop`, descriptors of an event loop.
 */
static int has_only_streams(pid_t pid, int below, int has_loop) {
  char path[64];
  int only = 1;
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *dir = opendir(path);
  if (dir == NULL) return 0;
  for (struct dirent *entry; only && (entry = readdir(dir)) != NULL;) {
    struct stat found;
    if (entry->d_name[0] == '.') continue;
    only = fstatat(dirfd(dir), entry->d_name, &found, 0) == 0 &&
           ((atoi(entry->d_name) < below && is_stream(&found)) ||
            (has_loop && is_of_loop(dirfd(dir), entry->d_name, &found)));
  }
  closedir(dir);
  return only;
}

/* Returns the number after `name` in the status of a process; -1 if it is missing. */
static long told_of(pid_t pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  const char *line = line_of(path, name);
  return line == NULL ? -1 : strtol(line, NULL, 10);
}

/* Checks the start time, which no later process with the same pid has. */
static int was_started_at(pid_t pid, const char *time) {
  char path[64], text[1024], *at;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "re");
  size_t length = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
  if (file != NULL) fclose(file);
  text[length] = 0;
  /* The program's name, which can contain anything, is in parentheses. */
  if ((at = strrchr(text, ')')) == NULL) return 0;
  for (int field = 2; field < 22 && at != NULL; field++) at = strchr(at + 1, ' ');
  return at != NULL && strncmp(at + 1, time, strlen(time)) == 0 && at[1 + strlen(time)] == ' ';
}

static pid_t expected_child;

static int has_other_child(pid_t pid, pid_t thread) {
  char path[96], expected[32] = "";
  const char *line;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, thread);
  if (expected_child > 0) snprintf(expected, sizeof expected, "%d ", expected_child);
  if (access(path, R_OK) != 0) return 1;
  line = line_of(path, "");
  return line != NULL && strcmp(line, expected) != 0;
}

/* Returns whether its only child is `only`; 0: it has none. */
static int has_no_child_but(pid_t pid, pid_t only) {
  expected_child = only;
  return count_threads(pid, has_other_child) == 0;
}

/* Returns whether it is alone in its sandbox except for the first process, which waits for it. Checks its own children
 * first: what is no longer below it belongs to the first process by then. */
static int is_alone(pid_t pid) {
  long first = told_of(pid, "PPid:");
  return has_no_child_but(pid, 0) && first > 1 && has_no_child_but((pid_t)first, pid);
}

/* Returns whether it has memory that a child would share with it. */
static int shares_memory(pid_t pid) {
  char path[64], line[512];
  int shares = 0;
  snprintf(path, sizeof path, "/proc/%d/smaps", pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 1;
  while (!shares && fgets(line, sizeof line, file) != NULL)
    shares = strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " sh ") != NULL;
  shares |= ferror(file);
  fclose(file);
  return shares;
}

static int is_at_root(pid_t pid) {
  char path[64], root[64];
  struct stat cwd, top;
  snprintf(path, sizeof path, "/proc/%d/cwd", pid);
  snprintf(root, sizeof root, "/proc/%d/root", pid);
  return stat(path, &cwd) == 0 && stat(root, &top) == 0 && cwd.st_dev == top.st_dev && cwd.st_ino == top.st_ino;
}

/* Returns whether its program's file, to which every child has a path in /proc, cannot be changed: even its mode could
 * carry information. */
static int has_fixed_program(pid_t pid) {
  char path[64];
  struct statvfs found;
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  return statvfs(path, &found) == 0 && (found.f_flag & ST_RDONLY) != 0;
}

/* Returns whether ended children disappear at once. */
static int forgets_children(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  const char *line = line_of(path, "SigIgn:");
  return line != NULL && (strtoull(line, NULL, 16) & (1ULL << (SIGCHLD - 1))) != 0;
}

/* Returns what its children would share with each other; NULL if nothing. `descriptors`: those it may have, from 0 on.
 * `threads`: how many it has that are stopped. */
static const char *what_is_shared(pid_t pid, int descriptors, int threads) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  /* The kernel's own count: a listing can miss a thread while others end. */
  if (count_entries(path) != 1 + threads || told_of(pid, "Threads:") != 1 + threads)
    return "its code has started threads";
  if (!is_alone(pid)) return "its code has started a process";
  if (!has_only_streams(pid, descriptors, threads > 0))
    return "its code has opened files or connections and keeps them";
  if (shares_memory(pid)) return "its code has memory that it would share with others";
  if (!is_at_root(pid)) return "it is in a directory that it would share with others";
  if (!has_fixed_program(pid)) return "its program can be written to";
  if (!forgets_children(pid)) return "it keeps children that have ended";
  if (told_of(pid, "NoNewPrivs:") != 1) return "it may gain rights";
  if (told_of(pid, "Seccomp:") != 2) return "no system call is forbidden to it";
  /* One filter more than this program: what answers a child's calls in place of the kernel belongs to its sandbox
   * alone. */
  if (told_of(pid, "Seccomp_filters:") != told_of(getpid(), "Seccomp_filters:") + 1 ||
      told_of(pid, "Seccomp_filters:") < 1)
    return "its code has filters of system calls of its own";
  return NULL;
}
