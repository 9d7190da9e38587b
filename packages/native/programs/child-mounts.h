/* The view of a template's child: its own mounts replace those that the template could write to. Steps, each word
 * separate:
 *
 *   slot FROM TO      FROM of the host, as a mount that shows what is mounted there later
 *   image FROM TO     FROM of the host, read-only
 *   memory TO BYTES   an empty in-memory file system
 *   keep PATH         what is there stays visible; taken before anything is mounted over it
 *   readonly PATH, empty PATH, hide PATH   of /proc, which is the child's own
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "steps.h"

/* Lower pids belong to programs that a new namespace starts with. */
enum { FIRST_PID = 100 };
/* STATX_ATTR_MOUNT_ROOT, which musl does not have. */
enum { IS_MOUNT_ROOT = 0x2000 };
enum { STEPS_MAX = 128 };

static int set_attributes(int tree, uint64_t set, uint64_t propagation) {
  struct mount_attr attributes = {.attr_set = set, .propagation = propagation};
  return (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes);
}

static int clone_tree(const char *path, unsigned flags) {
  return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | AT_SYMLINK_NOFOLLOW | flags);
}

static int put(int tree, const char *path) {
  return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static int open_namespace(pid_t pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

static int write_map(pid_t pid, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return write_to(path, text);
}

/* Opens /proc of the child's processes, which only one of them can have mounted. Returns a descriptor, or -1 with
 * errno. */
static int open_proc(int processes, const char *last) {
  pid_t one;
  /* That process shares only its descriptors with this one. */
  volatile int *result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (result == MAP_FAILED || setns(processes, CLONE_NEWPID) != 0) return -1;
  *result = -EINTR;
  one = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (one == 0) {
    const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    int context = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC), tree = -1;
    if (context >= 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
      tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
    *result = tree >= 0 ? tree : -errno;
    /* A process that compares its pid to see that it was forked must find another one than its parent's. */
    write_to("/proc/sys/kernel/ns_last_pid", last);
    _exit(0);
  }
  if (one < 0 || waitpid(one, NULL, 0) != one) return -1;
  return *result >= 0 ? *result : (errno = -*result, -1);
}

static const struct { const char *name; int words; } all_steps[] = {
    {"make", 2}, {"set", 3},  {"try", 3},      {"enter", 2}, {"slot", 3}, {"image", 3},
    {"memory", 3}, {"keep", 2}, {"readonly", 2}, {"empty", 2}, {"hide", 2},
};

/* Returns the number of words of the step at `words`; -1 with errno if it is unknown or incomplete. */
static int words_of_step(char **words) {
  for (size_t i = 0; i < sizeof all_steps / sizeof *all_steps; i++) {
    int number = 1;
    if (strcmp(all_steps[i].name, words[0]) != 0) continue;
    while (number < all_steps[i].words && words[number] != NULL) number++;
    if (number == all_steps[i].words) return number;
  }
  return errno = EINVAL, -1;
}

static int is(char **words, const char *step) { return strcmp(words[0], step) == 0; }

/* What is mounted in the child later, from its step. */
struct kept { int tree; const char *to; };
static struct kept slots[STEPS_MAX], kept[STEPS_MAX];
static int slot_count, kept_count;
static long inotify_watches;

static int hold(struct kept *list, int *length, int tree, const char *to) {
  if (tree < 0) return -1;
  if (*length == STEPS_MAX) return errno = E2BIG, -1;
  list[(*length)++] = (struct kept){tree, to};
  return 0;
}

/* On the host: the control group, and the child's files, which cannot be reached from inside later. */
static int take_host_step(char **words, int length, const char *who) {
  int is_image = is(words, "image");
  if (is_image || is(words, "slot")) {
    uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (is_image ? MOUNT_ATTR_RDONLY : 0);
    int tree = clone_tree(words[1], 0);
    if (tree < 0 || set_attributes(tree, attributes, is_image ? MS_PRIVATE : MS_SLAVE) != 0) return -1;
    return hold(slots, &slot_count, tree, words[2]);
  }
  return take_step(words, length, who) < 0 ? -1 : 0;
}

/* Creates missing parent directories, and a file or directory to mount over. */
static int make_place(const struct kept *one) {
  struct stat found, there;
  char path[4096];
  if (strlen(one->to) >= sizeof path) return errno = ENAMETOOLONG, -1;
  strcpy(path, one->to);
  for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
    *at = 0;
    if (mkdir(path, 0755) != 0 && errno != EEXIST) return -1;
    *at = '/';
  }
  if (fstat(one->tree, &found) != 0) return -1;
  if (S_ISDIR(found.st_mode)) return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -1;
  /* Below another mount, which exists already and is read-only. */
  if (lstat(path, &there) == 0 && S_ISREG(there.st_mode)) return 0;
  int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
  return fd < 0 ? -1 : close(fd);
}

/* The template can rename the parent directories. Only what is mounted there is kept: no other path leads to it, and no
 * process can write to it. */
static int keep(const char *path) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
  struct statx found;
  int at = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how), tree;
  /* A missing path may be left out. */
  if (at < 0) return errno == ENOENT ? 0 : -1;
  if (statx(at, "", AT_EMPTY_PATH, 0, &found) != 0) return -1;
  if ((found.stx_attributes & IS_MOUNT_ROOT) == 0) return errno = EXDEV, -1;
  tree = (int)syscall(SYS_open_tree, at, "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  if (tree < 0 || set_attributes(tree, MOUNT_ATTR_RDONLY, 0) != 0) return -1;
  return hold(kept, &kept_count, tree, path);
}

static int cover(const char *what, const char *path) {
  struct stat found;
  if (lstat(path, &found) != 0) return 0;
  if (strcmp(what, "empty") == 0) return mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
  int tree = clone_tree(strcmp(what, "hide") == 0 ? "/dev/null" : path, AT_RECURSIVE);
  if (tree < 0) return -1;
  if (set_attributes(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0) != 0) return -1;
  return put(tree, path);
}

static int mount_memory(const char *path, const char *bytes) {
  char options[64];
  snprintf(options, sizeof options, "mode=1777,size=%s", bytes);
  return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

/* At most one eighth of a host user's limit. */
static void bound_watches(void) {
  char text[32];
  snprintf(text, sizeof text, "%ld", inotify_watches / 8);
  if (inotify_watches > 0) write_to("/proc/sys/user/max_inotify_watches", text);
}

static int mount_own(int proc) {
  if (put(proc, "/proc") != 0) return -1;
  /* No further namespaces below the child's. */
  write_to("/proc/sys/user/max_user_namespaces", "0");
  /* Like share.c for other sandboxes: without these limits one child could use up what all share. */
  write_to("/proc/sys/user/max_inotify_instances", "16");
  bound_watches();
  return mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,max=64");
}

/* Before anything is mounted over the template's files. */
static int take_keep_step(char **words, int length, const char *who) {
  (void)length, (void)who;
  return is(words, "keep") ? keep(words[1]) : 0;
}

static int take_child_step(char **words, int length, const char *who) {
  (void)length, (void)who;
  if (is(words, "memory")) return mount_memory(words[1], words[2]);
  return is(words, "readonly") || is(words, "empty") || is(words, "hide") ? cover(words[0], words[1]) : 0;
}

static int for_each_step(char **words, int (*take)(char **, int, const char *), const char *who) {
  for (int length; *words != NULL; words += length)
    if ((length = words_of_step(words)) < 0 || take(words, length, who) != 0) return -1;
  return 0;
}

/* Read-only like bubblewrap's /proc: a program could raise the weight of its own sessions there (/proc/self/autogroup).
 */
static int close_proc(void) {
  const unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  return mount(NULL, "/proc", NULL, flags, NULL);
}

static int put_all(const struct kept *list, int length, int isPlaceMade) {
  for (int i = 0; i < length; i++)
    if ((isPlaceMade && make_place(list + i) != 0) || put(list[i].tree, list[i].to) != 0) return -1;
  return 0;
}

/* Enters the child's namespaces and returns its /proc for mounting; -1 with errno. */
static int enter_child(pid_t template, pid_t child, const char *user, int number) {
  char map[64], last[32];
  gid_t id = (gid_t)strtoul(user, NULL, 10);
  int above = open_namespace(template, "user"), users = open_namespace(child, "user");
  int mounts = open_namespace(child, "mnt"), processes = open_namespace(child, "pid");
  if (above < 0 || users < 0 || mounts < 0 || processes < 0) return -1;
  snprintf(last, sizeof last, "%d", FIRST_PID + number);
  int proc = open_proc(processes, last);
  if (proc < 0 || setns(above, CLONE_NEWUSER) != 0) return -1;
  snprintf(map, sizeof map, "%s %s 1", user, user);
  if (write_map(child, "uid_map", map) != 0 || write_map(child, "gid_map", map) != 0) return -1;
  if (setns(users, CLONE_NEWUSER) != 0 || setns(mounts, CLONE_NEWNS) != 0) return -1;
  /* Files that it creates there belong to the child. It is not root of that namespace, so it keeps its capabilities. */
  return setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0 ? -1 : proc;
}

/* Returns the inotify watches of a host user; 0 if unknown. Call it before the child's files are entered. */
static long host_inotify_watches(void) {
  char text[32] = {0};
  int fd = open("/proc/sys/fs/inotify/max_user_watches", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  return strtol(text, NULL, 10);
}

static int take_steps(pid_t template, pid_t child, int number, char **words) {
  char who[32], *user = words[0], **steps = words + 2;
  rlim_t processes = (rlim_t)atoi(words[1]);
  struct rlimit bound = {processes, processes};
  int proc;
  snprintf(who, sizeof who, "%d", child);
  inotify_watches = host_inotify_watches();
  if (for_each_step(steps, take_host_step, who) != 0) return -1;
  if (processes > 0 && prlimit(child, RLIMIT_NPROC, &bound, NULL) != 0) return -1;
  if ((proc = enter_child(template, child, user, number)) < 0) return -1;
  if (for_each_step(steps, take_keep_step, who) != 0 || mount_own(proc) != 0) return -1;
  if (for_each_step(steps, take_child_step, who) != 0 || close_proc() != 0) return -1;
  return put_all(slots, slot_count, 0) != 0 || put_all(kept, kept_count, 1) != 0 ? -1 : 0;
}

/* Call it in a separate process, with the child's number, user, process limit and steps. Returns 0 or an errno. */
static int set_up_child(pid_t template, pid_t child, int number, char **words) {
  errno = 0;
  if (take_steps(template, child, number, words) == 0) return 0;
  return errno > 0 ? errno : EPROTO;
}
