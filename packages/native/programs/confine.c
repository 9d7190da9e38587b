/* Runs a program as a separate user, behind Landlock and a system call filter, and stays beside it.
 *
 *   confine abi             prints the kernel's Landlock version; 0: it has none
 *   confine sweep USER      kills every process of the user
 *   confine run             reads on descriptor 4 what to run, as words terminated by NUL, and on 5 the filter
 *
 * While the program runs, this process opens its sockets. Each is bound to the loopback device, which its owner cannot
 * undo, so it cannot connect to other machines or accept from them. When the program ends, or the other end of
 * descriptor 4 closes, every process of the user is killed. This process exits when none is left. It writes to 4 why a
 * program was not started.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "programs.h"

enum { CONTROL = 4, FILTER = 5, START_FAILED = 125, LEFT_OVER = 124 };
enum { WORDS_MAX = 65536, FILTER_BYTES_MAX = 65536, WORD_BYTES_MAX = 16 << 20 };

/* The socket option IP_LOCAL_PORT_RANGE. Its header conflicts with musl's. */
enum { IP_LOCAL_PORTS = 51 };

/* Landlock rights for files, with short names. */
enum {
  EXECUTE = LANDLOCK_ACCESS_FS_EXECUTE,
  WRITE_FILE = LANDLOCK_ACCESS_FS_WRITE_FILE,
  READ_FILE = LANDLOCK_ACCESS_FS_READ_FILE,
  READ_DIR = LANDLOCK_ACCESS_FS_READ_DIR,
  TRUNCATE = LANDLOCK_ACCESS_FS_TRUNCATE,
  MAKE_CHAR = LANDLOCK_ACCESS_FS_MAKE_CHAR,
  MAKE_BLOCK = LANDLOCK_ACCESS_FS_MAKE_BLOCK,
  IOCTL_DEV = LANDLOCK_ACCESS_FS_IOCTL_DEV,
  OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV,
};

static char *words[WORDS_MAX];
static int word_count;
static struct sock_filter filter[FILTER_BYTES_MAX / sizeof(struct sock_filter)];
static size_t filter_length;
static uid_t user;
static int version, first_port, last_port, is_open;

/* What the child reports before it becomes the program. */
struct told { int listener, error; char what[4200]; };
static struct told *told;

static void say(const char *what, int error) {
  char text[4400];
  int length = snprintf(text, sizeof text, "%s: %s\n", what, strerror(error));
  if (length > (int)sizeof text) length = sizeof text;
  if (send(CONTROL, text, (size_t)length, MSG_NOSIGNAL) < 0) return;
}

static _Noreturn void give_up(const char *what) {
  say(what, errno);
  exit(START_FAILED);
}

static int landlock_version(void) {
  long found = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return found < 0 ? 0 : (int)found;
}

/* ---- the user's processes ---- */

static void become(uid_t id) {
  if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) _exit(START_FAILED);
}

/* Kills as the user, so that the kernel finds all of its processes at once and no others. */
static void strike(uid_t id) {
  pid_t killer = fork();
  if (killer == 0) {
    become(id);
    _exit(kill(-1, SIGKILL) == 0 ? 0 : 1);
  }
  /* If the group allows no more processes, this process does it itself, although it can be killed meanwhile. */
  if (killer < 0 && setresuid(id, id, 0) == 0) {
    kill(-1, SIGKILL);
    if (setresuid(0, 0, 0) != 0) abort();
  }
  while (killer > 0 && waitpid(killer, NULL, 0) < 0 && errno == EINTR) {}
}

static void rest(void) {
  struct timespec moment = {0, 500000};
  nanosleep(&moment, NULL);
}

static int lives(const char *pid, uid_t id) {
  char path[64], text[2048], *state, *ids;
  ssize_t length;
  int fd;
  snprintf(path, sizeof path, "/proc/%.20s/status", pid);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return 0;
  text[length] = 0;
  state = strstr(text, "\nState:\t");
  ids = strstr(text, "\nUid:\t");
  if (state == NULL || ids == NULL || state[8] == 'Z' || state[8] == 'X') return 0;
  return (uid_t)strtoul(ids + 6, NULL, 10) == id;
}

static int any_lives(uid_t id) {
  struct dirent *entry;
  int found = 0;
  DIR *table = opendir("/proc");
  if (table == NULL) return 0;
  while (!found && (entry = readdir(table)) != NULL)
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') found = lives(entry->d_name, id);
  closedir(table);
  return found;
}

/* The kernel knows at once if the user has no process. Unreaped processes are dead too. */
static int has_living(uid_t id) {
  errno = 0;
  if (getpriority(PRIO_USER, id) == -1 && errno == ESRCH) return 0;
  return any_lives(id);
}

/* Kills processes that are not children of this one. Returns how many are left. */
static int sweep(uid_t id) {
  int left;
  for (left = 20000; left > 0 && has_living(id); left--) {
    strike(id);
    rest();
  }
  return left > 0;
}

/* Orphans become children of this process, so when it has no child left, the user has no process left. */
static int end_all(void) {
  int left;
  for (left = 40000; left > 0; left--) {
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {}
    if (pid < 0 && errno == ECHILD) return 1;
    strike(user);
    if (waitpid(-1, NULL, WNOHANG) == 0) rest();
  }
  return 0;
}

/* ---- what to run ---- */

static size_t read_some(int fd, char *to, size_t size) {
  ssize_t got;
  while ((got = read(fd, to, size)) < 0 && errno == EINTR) {}
  if (got < 0) give_up("read");
  return (size_t)got;
}

/* Ends silently if the worker was killed. */
static void read_whole(char *to, size_t size) {
  size_t got, done = 0;
  for (; done < size; done += got)
    if ((got = read_some(CONTROL, to + done, size - done)) == 0) exit(128 + SIGKILL);
}

/* Eight hexadecimal digits are the length of the words. */
static void read_words(void) {
  char digits[9] = {0}, *text, *at;
  size_t length;
  read_whole(digits, 8);
  length = strtoul(digits, NULL, 16);
  if (length == 0 || length > WORD_BYTES_MAX || (text = malloc(length + 1)) == NULL) errno = E2BIG, give_up("words");
  read_whole(text, length);
  text[length] = 0;
  for (at = text; at < text + length; at += strlen(at) + 1) {
    if (word_count == WORDS_MAX) errno = E2BIG, give_up("words");
    words[word_count++] = at;
  }
}

static void read_filter(void) {
  size_t got;
  while ((got = read_some(FILTER, (char *)filter + filter_length, sizeof filter - filter_length)) > 0)
    filter_length += got;
  close(FILTER);
}

/* Returns the only word after `name`; "" if there is none. */
static const char *word_of(const char *name) {
  int i;
  for (i = 0; i + 1 < word_count; i += 2)
    if (strcmp(words[i], name) == 0) return words[i + 1];
  return "";
}

static char **all_of(const char *name) {
  char **found = calloc((size_t)word_count / 2 + 1, sizeof *found);
  int i, count = 0;
  for (i = 0; found != NULL && i + 1 < word_count; i += 2)
    if (strcmp(words[i], name) == 0) found[count++] = words[i + 1];
  return found;
}

/* ---- in the child, until it becomes the program ---- */

static _Noreturn void fail(const char *what, const char *which) {
  told->error = errno;
  snprintf(told->what, sizeof told->what, "%s %s", what, which);
  _exit(START_FAILED);
}

static void allow_path(int ruleset, const char *path, uint64_t rights, int must) {
  struct stat found;
  struct landlock_path_beneath_attr rule = {rights, open(path, O_PATH | O_CLOEXEC)};
  if (rule.parent_fd < 0) {
    if (must || (errno != ENOENT && errno != EACCES && errno != ENOTDIR)) fail("cannot open", path);
    return;
  }
  if (fstat(rule.parent_fd, &found) == 0 && !S_ISDIR(found.st_mode)) rule.allowed_access &= OF_FILES;
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    fail("Landlock refuses a rule for", path);
  /* Stays open in the parent: the kernel forgets a directory of /proc that no process has open. */
  if (strcmp(path, "/proc/self") != 0) close(rule.parent_fd);
}

static void allow_port(int ruleset, uint64_t rights, int port) {
  struct landlock_net_port_attr rule = {rights, (uint64_t)port};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_NET_PORT, &rule, 0) != 0)
    fail("Landlock refuses a rule for a port", "");
}

static void restrict_itself(void) {
  const uint64_t bind = LANDLOCK_ACCESS_NET_BIND_TCP, connect = LANDLOCK_ACCESS_NET_CONNECT_TCP;
  /* The rights for files of Landlock 4. */
  struct landlock_ruleset_attr all = {(1 << 15) - 1, is_open ? 0 : bind | connect, 0};
  char **each;
  uint64_t writable;
  int ruleset, port;
  if (version >= 5) all.handled_access_fs |= IOCTL_DEV;
  if (version >= 6) all.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
  ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
  if (ruleset < 0) fail("Landlock", "refuses a set of rules");
  writable = all.handled_access_fs & ~(uint64_t)(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV);
  for (each = all_of("system"); *each; each++) allow_path(ruleset, *each, EXECUTE | READ_FILE | READ_DIR, 0);
  for (each = all_of("read"); *each; each++) allow_path(ruleset, *each, EXECUTE | READ_FILE | READ_DIR, 1);
  for (each = all_of("device"); *each; each++)
    allow_path(ruleset, *each, all.handled_access_fs & (READ_FILE | WRITE_FILE | TRUNCATE), 0);
  for (each = all_of("write"); *each; each++) allow_path(ruleset, *each, writable, 1);
  if (all.handled_access_net != 0) {
    for (each = all_of("port"); *each; each++) allow_port(ruleset, connect, atoi(*each));
    allow_port(ruleset, bind, 0);
    for (port = first_port; port <= last_port; port++) allow_port(ruleset, bind | connect, port);
  }
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) fail("Landlock", "is not available");
  close(ruleset);
}

static void limit_itself(void) {
  static const struct { const char *name; int which; } limits[] = {
      {"data", RLIMIT_DATA},   {"openFiles", RLIMIT_NOFILE}, {"fileBytes", RLIMIT_FSIZE},
      {"cpu", RLIMIT_CPU},     {"processes", RLIMIT_NPROC},  {"core", RLIMIT_CORE},
      {"sigpending", RLIMIT_SIGPENDING}, {"memlock", RLIMIT_MEMLOCK},
  };
  size_t i;
  for (i = 0; i < sizeof limits / sizeof *limits; i++) {
    const char *word = word_of(limits[i].name);
    struct rlimit hard, wanted = {strtoull(word, NULL, 10), strtoull(word, NULL, 10)};
    /* The process that started the worker may have set a lower limit. */
    if (getrlimit(limits[i].which, &hard) == 0 && hard.rlim_max < wanted.rlim_max)
      wanted.rlim_cur = wanted.rlim_max = hard.rlim_max;
    if (*word != 0 && setrlimit(limits[i].which, &wanted) != 0) fail("cannot set the limit", limits[i].name);
  }
}

static void run_program(void) {
  struct sock_fprog code = {(unsigned short)(filter_length / sizeof *filter), filter};
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct nothing[2] = {0};
  char **argv = all_of("argument"), **env = all_of("variable");
  int capability;
  long listener;
  limit_itself();
  for (capability = 0; capability < 64; capability++) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  if (setgroups(0, NULL) != 0) fail("cannot leave", "groups");
  if (setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0) fail("cannot become user", word_of("user"));
  if (syscall(SYS_capset, &header, nothing) != 0) fail("cannot drop", "capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("cannot refuse", "new privileges");
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  umask(022);
  if (chdir(word_of("directory")) != 0) fail("cannot enter", word_of("directory"));
  restrict_itself();
  listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, is_open ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER, &code);
  if (listener < 0) fail("the kernel refuses", "the filter of system calls");
  told->listener = is_open ? -1 : (int)listener;
  execve(argv[0], argv, env);
  fail("cannot execute", argv[0]);
}

/* ---- beside the program ---- */

/* Returns 0 if the program has the new descriptor, otherwise the error. */
static int open_socket(int listener, const struct seccomp_notif *asked) {
  int type = (int)asked->data.args[1], error = 0;
  uint32_t ports = (uint32_t)last_port << 16 | (uint32_t)first_port;
  struct seccomp_notif_addfd over = {
      .id = asked->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .newfd_flags = type & SOCK_CLOEXEC ? O_CLOEXEC : 0};
  int fd = socket((int)asked->data.args[0], type | SOCK_CLOEXEC, (int)asked->data.args[2]);
  if (fd < 0) return errno;
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) != 0) error = EACCES;
  /* Port 0 becomes a port that the program may also connect to. Kernels without the option choose any. */
  setsockopt(fd, 0, IP_LOCAL_PORTS, &ports, sizeof ports);
  over.srcfd = (uint32_t)fd;
  if (error == 0 && ioctl(listener, (int)SECCOMP_IOCTL_NOTIF_ADDFD, &over) < 0) error = errno;
  close(fd);
  return error;
}

static void serve(int listener) {
  char space[512] = {0};
  struct seccomp_notif *asked = (struct seccomp_notif *)space;
  struct seccomp_notif_resp answer = {0};
  if (ioctl(listener, (int)SECCOMP_IOCTL_NOTIF_RECV, asked) != 0) return;
  answer.id = asked->id;
  answer.error = -open_socket(listener, asked);
  /* A socket that was handed over is answered already. */
  if (answer.error != 0) ioctl(listener, (int)SECCOMP_IOCTL_NOTIF_SEND, &answer);
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

static int attend(pid_t program, int signals) {
  int status = SIGKILL, ended = 0;
  struct pollfd watched[3] = {{CONTROL, POLLIN, 0}, {signals, POLLIN, 0}, {told->listener, POLLIN, 0}};
  while (!ended) {
    char ignored[64];
    if (poll(watched, 3, -1) < 0) continue;
    if (watched[0].revents != 0 && read(CONTROL, ignored, sizeof ignored) <= 0) break;
    if (watched[1].revents != 0) ended = reap(signals, program, &status);
    if (watched[2].revents & POLLIN) serve(told->listener);
    else if (watched[2].revents != 0) watched[2].fd = -1;
  }
  if (!end_all()) return LEFT_OVER;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Runs own.c in a separate process, which raises its limit of open files. */
static void give_directories(void) {
  char *argv[] = {"own", (char *)word_of("user"), (char *)word_of("slot"), NULL};
  int status = 0;
  pid_t giver = fork();
  if (giver == 0) _exit(own_main(3, argv));
  while (giver > 0 && waitpid(giver, &status, 0) < 0 && errno == EINTR) {}
  if (giver < 0 || status != 0)
    errno = EPERM, give_up("its directories cannot be given to its user (which takes CHOWN, DAC_OVERRIDE, FOWNER)");
}

static int run(void) {
  sigset_t children;
  pid_t program;
  int fd, signals;
  fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
  fcntl(FILTER, F_SETFD, FD_CLOEXEC);
  read_words();
  read_filter();
  user = (uid_t)strtoul(word_of("user"), NULL, 10);
  version = atoi(word_of("version"));
  first_port = atoi(word_of("firstPort"));
  last_port = atoi(word_of("lastPort"));
  is_open = strcmp(word_of("network"), "open") == 0;
  if (user == 0 || version < 4 || filter_length == 0) errno = EINVAL, give_up("words");
  told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (told == MAP_FAILED) give_up("memory");
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) give_up("subreaper");
  if (!sweep(user)) errno = EBUSY, give_up("processes of its user are left from before");
  give_directories();
  /* The child shares this process's descriptors until it becomes the program, so the listener of its filter is here
   * too. */
  program = (pid_t)syscall(SYS_clone, CLONE_VFORK | CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (program < 0) give_up("clone");
  if (program == 0) run_program();
  if (told->error != 0) errno = told->error, give_up(told->what);
  for (fd = 0; fd < CONTROL; fd++) close(fd);
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  signals = signalfd(-1, &children, SFD_CLOEXEC);
  /* A child that died in the meantime has already sent its signal. */
  kill(getpid(), SIGCHLD);
  return attend(program, signals);
}

int confine_main(int argc, char **argv) {
  uid_t id = argc > 2 ? (uid_t)strtoul(argv[2], NULL, 10) : 0;
  if (argc == 2 && strcmp(argv[1], "abi") == 0) return printf("%d\n", landlock_version()) < 0;
  if (argc == 2 && strcmp(argv[1], "run") == 0) return run();
  if (argc == 3 && strcmp(argv[1], "sweep") == 0 && id != 0) return sweep(id) ? 0 : 1;
  fprintf(stderr, "sandbox: confine abi | sweep USER | run\n");
  return 2;
}
