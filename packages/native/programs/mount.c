/* Mounts what turns need: starting the system's own program for each takes longer than the mount. Reads from its input,
 * each word ended by NUL:
 *
 *   share DIR                  DIR becomes a mount of its own, whose sandboxes see what is mounted below it later
 *   attach FROM TO             FROM appears at TO, without devices and without set-user-id
 *   detach TO                  undoes it, also where it is in use
 *   overlay CWD UPPER WORK OPTIONS TO OWNER   an overlay whose options name directories of CWD; makes the two that
 *                              take its changes, which are not there, and TO where it is not. UPPER, and so the
 *                              overlay's own directory, belongs to OWNER
 *   image FILE TO OWNER        a squashfs, read-only, by a loop device that goes with the mount; what belongs to root
 *                              in it belongs to OWNER
 *   unmount TO                 refused where it is in use
 *   whiteout CWD PATH          the mark that hides PATH in the layers below CWD
 *   folder PATH OWNER          a new directory
 *   unmake PATH                removes a directory that is empty; ENOTEMPTY also where it is empty but large
 *   clear CWD NAME             removes the directory NAME of CWD if it holds nothing but what an overlay and an
 *                              unchanged turn leave; ENOTEMPTY otherwise, when a part of it may be removed
 *
 * where OWNER is a user and a group, or nothing for this process's own, and answers each with a line: the number
 * of the error, 0 for none. Ends with its input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "programs.h"
#include "write-to.h"

/* A directory that had many entries is large even when it is empty, and takes long to check. */
enum { LOOP_TRIES = 64, SMALL_DIRECTORY = 64 * 1024, LEVELS = 3 };

static char words[7][8192];

static int read_word(char *word) {
  size_t length = 0;
  int c;
  while ((c = getchar()) != EOF && length < sizeof words[0]) {
    word[length++] = (char)c;
    if (c == 0) return 1;
  }
  return 0;
}

static int result(int status) { return status == 0 ? 0 : errno; }

static int share(char (*to)[8192]) {
  if (mount(to[0], to[0], NULL, MS_BIND, NULL) != 0) return errno;
  if (mount(NULL, to[0], NULL, MS_PRIVATE, NULL) != 0) return errno;
  return result(mount(NULL, to[0], NULL, MS_SHARED, NULL));
}

/* The attributes are set before the mount is visible: set afterwards, they would apply here and not in the sandbox. */
static int attach(char (*names)[8192]) {
  struct mount_attr closed = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE};
  const unsigned flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_SYMLINK_NOFOLLOW;
  int error = 0, fd = (int)syscall(SYS_open_tree, AT_FDCWD, names[0], flags);
  if (fd < 0) return errno;
  if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &closed, sizeof closed) != 0 ||
      syscall(SYS_move_mount, fd, "", AT_FDCWD, names[1], MOVE_MOUNT_F_EMPTY_PATH) != 0)
    error = errno;
  close(fd);
  return error;
}

static int detach(char (*to)[8192]) { return result(umount2(to[0], MNT_DETACH | UMOUNT_NOFOLLOW)); }

static int give(const char *path, const char *owner) {
  uid_t id = (uid_t)strtoul(owner, NULL, 10);
  return *owner == 0 ? 0 : chown(path, id, id);
}

static int overlay(char (*asked)[8192]) {
  if (chdir(asked[0]) != 0) return errno;
  int error = 0;
  if (mkdir(asked[1], S_IRWXU) != 0 || mkdir(asked[2], S_IRWXU) != 0 || give(asked[1], asked[5]) != 0 ||
      (mkdir(asked[4], S_IRWXU) != 0 && errno != EEXIST) || mount("overlay", asked[4], "overlay", 0, asked[3]) != 0)
    error = errno;
  /* A process's working directory cannot be unmounted. */
  if (chdir("/") != 0) return errno;
  return error;
}

/* Opens a loop device for `file`. Other processes may take the same free device first. */
static int loop_over(int control, int file, char *path, size_t size) {
  struct loop_config settings = {.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR};
  for (int tries = 0; tries < LOOP_TRIES; tries++) {
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) return -1;
    snprintf(path, size, "/dev/loop%d", number);
    int loop = open(path, O_RDONLY | O_CLOEXEC);
    if (loop < 0) return -1;
    if (ioctl(loop, LOOP_CONFIGURE, &settings) == 0) return loop;
    int error = errno;
    close(loop);
    errno = error;
    if (error != EBUSY) return -1;
  }
  return -1;
}

/* Creates a user namespace whose root is OWNER. Returns a descriptor, or -1 with errno. */
static int map_root_to(const char *owner) {
  char path[64], map[64];
  int fd = -1, error, ready[2];
  char c;
  if (pipe2(ready, O_CLOEXEC) != 0) return -1;
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (unshare(CLONE_NEWUSER) == 0 && write(ready[1], "", 1) == 1) pause();
    _exit(1);
  }
  close(ready[1]);
  if (child > 0 && read(ready[0], &c, 1) == 1) {
    snprintf(map, sizeof map, "0 %s 1", owner);
    snprintf(path, sizeof path, "/proc/%d/uid_map", child);
    int is_mapped = write_to(path, map) == 0;
    snprintf(path, sizeof path, "/proc/%d/gid_map", child);
    is_mapped = is_mapped && write_to(path, map) == 0;
    snprintf(path, sizeof path, "/proc/%d/ns/user", child);
    if (is_mapped) fd = open(path, O_RDONLY | O_CLOEXEC);
  } else errno = EPERM;
  error = errno;
  close(ready[0]);
  if (child > 0) kill(child, SIGKILL), waitpid(child, NULL, 0);
  errno = error;
  return fd;
}

/* Mounts what is at `place` there again, with root's files as OWNER's. */
static int map_owner(const char *place, const char *owner) {
  struct mount_attr mapped = {.attr_set = MOUNT_ATTR_IDMAP};
  int error = 0, tree = -1, namespace = *owner == 0 ? -1 : map_root_to(owner);
  if (*owner == 0) return 0;
  mapped.userns_fd = (uint64_t)namespace;
  if (namespace < 0 || (tree = (int)syscall(SYS_open_tree, AT_FDCWD, place, OPEN_TREE_CLONE | O_CLOEXEC)) < 0 ||
      syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &mapped, sizeof mapped) != 0)
    error = errno;
  if (umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && error == 0) error = errno;
  if (error == 0 && syscall(SYS_move_mount, tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) != 0) error = errno;
  if (tree >= 0) close(tree);
  if (namespace >= 0) close(namespace);
  errno = error;
  return error == 0 ? 0 : -1;
}

static int image(char (*names)[8192]) {
  char path[32];
  int error = 0, control = -1, loop = -1, file = open(names[0], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0 || (control = open("/dev/loop-control", O_RDWR | O_CLOEXEC)) < 0 ||
      (loop = loop_over(control, file, path, sizeof path)) < 0 ||
      mount(path, names[1], "squashfs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0 ||
      map_owner(names[1], names[2]) != 0)
    error = errno;
  /* Without a mount, the device is free again once it is closed. */
  if (loop >= 0) close(loop);
  if (control >= 0) close(control);
  if (file >= 0) close(file);
  return error;
}

static int unmount(char (*to)[8192]) { return result(umount2(to[0], UMOUNT_NOFOLLOW)); }

static int whiteout(char (*asked)[8192]) {
  if (chdir(asked[0]) != 0) return errno;
  int error = result(mknod(asked[1], S_IFCHR, makedev(0, 0)));
  if (chdir("/") != 0) return errno;
  return error;
}

static int folder(char (*asked)[8192]) {
  uid_t id = (uid_t)strtoul(asked[1], NULL, 10);
  if (mkdir(asked[0], S_IRWXU | S_IRWXG | S_IRWXO) != 0) return errno;
  /* An agent that already runs may have replaced it by a link. */
  int error = *asked[1] == 0 ? 0 : result(lchown(asked[0], id, id));
  if (error != 0) rmdir(asked[0]);
  return error;
}

static int unmake(char (*asked)[8192]) {
  struct stat found;
  if (lstat(asked[0], &found) != 0) return errno;
  return found.st_size > SMALL_DIRECTORY ? ENOTEMPTY : result(rmdir(asked[0]));
}

/* Removes a directory after the directories in it that an overlay or a turn has made. A `volatile` overlay has a file
 * in one of them. */
static int clear_at(int parent, const char *name, int levels) {
  static const char *const made[] = {"work", "incompat", "volatile", "workspace", "state"};
  struct stat found;
  int error = 0, dir = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dir < 0) return errno;
  if (fstat(dir, &found) != 0) error = errno;
  else if (found.st_size > SMALL_DIRECTORY) error = ENOTEMPTY;
  if (error == 0 && strcmp(name, "volatile") == 0) unlinkat(dir, "dirty", 0);
  for (size_t i = 0; error == 0 && levels > 0 && i < sizeof made / sizeof *made; i++)
    clear_at(dir, made[i], levels - 1);
  close(dir);
  return error != 0 ? error : result(unlinkat(parent, name, AT_REMOVEDIR));
}

static int clear(char (*asked)[8192]) {
  int error, cwd = open(asked[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (cwd < 0) return errno;
  error = clear_at(cwd, asked[1], LEVELS);
  close(cwd);
  return error;
}

static const struct { const char *name; int words; int (*run)(char (*)[8192]); } commands[] = {
    {"share", 1, share}, {"attach", 2, attach}, {"detach", 1, detach}, {"overlay", 6, overlay},
    {"image", 3, image}, {"unmount", 1, unmount}, {"whiteout", 2, whiteout}, {"clear", 2, clear},
    {"folder", 2, folder}, {"unmake", 1, unmake},
};

int mount_main(int argc, char **argv) {
  (void)argc, (void)argv;
  while (read_word(words[0])) {
    size_t i = 0, count = sizeof commands / sizeof *commands;
    while (i < count && strcmp(words[0], commands[i].name) != 0) i++;
    if (i == count) return 1;
    for (int word = 1; word <= commands[i].words; word++)
      if (!read_word(words[word])) return 1;
    printf("%d\n", commands[i].run(words + 1));
    if (fflush(stdout) != 0) return 1;
  }
  return 0;
}
