/* Removes what a child has of its template with system calls made in its name, and then checks the result, because an
 * untrusted process could have changed how its calls are answered. */
#include <sys/prctl.h>

enum { CAPABILITIES_MAX = 64 };

/* Capabilities that a program could regain are removed last. */
static int drop_capabilities(struct caller *child) {
  unsigned long at = scratch_of(child);
  /* The version of the kernel's format, and this process; then nothing effective, permitted or inheritable. */
  const unsigned long words[] = {0x20080522UL, 0, 0, 0};
  for (unsigned long one = 0; one < CAPABILITIES_MAX; one++)
    if (step_in(child, SYS_prctl, PR_CAPBSET_DROP, one) != 0) {
      if (errno != EINVAL || one == 0) return -1;
      break;
    }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (ptrace(PTRACE_POKEDATA, child->pid, (void *)(at + i * sizeof *words), (void *)words[i]) != 0) return -1;
  return (int)call_in(child, SYS_capset, at, at + sizeof *words, 0);
}

static int has_capabilities(pid_t pid) {
  static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    const char *line = line_of(path, sets[i]);
    if (line == NULL || strtoull(line, NULL, 16) != 0) return 1;
  }
  return 0;
}

/* Descriptors, the process group and capabilities. Returns -1 with errno. */
static int strip(pid_t pid) {
  struct caller child;
  char path[64];
  if (call_from(&child, pid) != 0) return -1;
  if (call_in(&child, SYS_close_range, 0, ~0U, 0) != 0 || call_in(&child, SYS_setsid, 0, 0, 0) < 0) return -1;
  if (drop_capabilities(&child) != 0 || go_back(&child) != 0) return -1;
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  if (count_entries(path) != 0 || getsid(pid) != pid || has_capabilities(pid)) return errno = EPERM, -1;
  return 0;
}
