/* The threads of a process, and how those that it does not need are stopped. Needs traced.h for stop_threads. */
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

enum {
  THREADS_MAX = 128,
  /* How long threads may take to come to rest: looks, and nanoseconds between two of them. */
  REST_LOOKS = 100,
  REST_LOOK_NS = 10000000,
};

static pid_t stopped[THREADS_MAX];
static int stopped_count;

/* Returns the text after `name` at the start of a line in a file; NULL if there is none. */
static const char *line_of(const char *path, const char *name) {
  static char line[256];
  FILE *file = fopen(path, "re");
  const char *found = NULL;
  while (file != NULL && found == NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, name, strlen(name)) == 0) found = line + strlen(name);
  if (file != NULL) fclose(file);
  return found;
}

/* Returns the number of threads of the process for which `matches` returns 1; -1 if they cannot be read. */
static int count_threads(pid_t pid, int (*matches)(pid_t pid, pid_t thread)) {
  char path[64];
  int number = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *dir = opendir(path);
  if (dir == NULL) return -1;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
    if (entry->d_name[0] != '.') number += matches(pid, atoi(entry->d_name));
  closedir(dir);
  return number;
}

/* Returns the threads besides the first one, at most `max`, and their number. */
static int list_threads(pid_t pid, pid_t *list, int max) {
  char path[64];
  int number = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *dir = opendir(path);
  if (dir == NULL) return -1;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    pid_t thread = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || thread == pid) continue;
    if (number < max) list[number] = thread;
    number++;
  }
  closedir(dir);
  return number;
}

/* Returns whether it is not the first thread, and waits for an event or for another thread. */
static int is_at_rest(pid_t pid, pid_t thread) {
  static const long waits[] = {
      SYS_futex, SYS_epoll_pwait,
#ifdef SYS_epoll_wait
      SYS_epoll_wait,
#endif
  };
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, thread);
  const char *call = thread == pid ? NULL : line_of(path, "");
  if (call == NULL || call[0] < '0' || call[0] > '9') return 0;
  for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
    if (strtol(call, NULL, 10) == waits[i]) return 1;
  return 0;
}

/* Stops its threads besides the first one for good, once they all wait. Returns NULL, or why that is not possible. */
static const char *stop_threads(pid_t pid, int expected, long options) {
  struct timespec rest = {.tv_nsec = REST_LOOK_NS};
  int looks = 0;
  if (expected > THREADS_MAX) return "its code has started threads";
  while (count_threads(pid, is_at_rest) != expected && ++looks < REST_LOOKS) nanosleep(&rest, NULL);
  stopped_count = list_threads(pid, stopped, THREADS_MAX);
  if (stopped_count != expected) return "its code has started threads";
  for (int i = 0; i < stopped_count; i++)
    if (ptrace(PTRACE_SEIZE, stopped[i], NULL, (void *)options) != 0 ||
        ptrace(PTRACE_INTERRUPT, stopped[i], NULL, NULL) != 0 || await_stop(stopped[i]) < 0)
      return "its threads cannot be stopped";
  return count_threads(pid, is_at_rest) == expected ? NULL : "its threads do not rest";
}
