/* Mounts directories into slots whose sandboxes already run. Reads from its input, each word ended by NUL:
 *
 *   share DIR         DIR becomes a mount of its own, whose sandboxes see what is mounted below it later
 *   attach FROM TO    FROM appears at TO, without devices and without set-user-id
 *   detach TO         undoes it
 *
 * and answers each with a line: the number of the error, 0 for none. Ends with its input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers are the same on every architecture; older headers lack them. */
enum { OPEN_TREE = 428, MOVE_MOUNT = 429, MOUNT_SETATTR = 442 };
enum { CLONE_TREE = 1, MOVE_EMPTY_PATH = 4, NO_SET_ID = 2, NO_DEVICES = 4 };
struct attributes { uint64_t set, clear, propagation, userns; };

static char words[3][4096];

static int read_word(char *word) {
  size_t length = 0;
  int c;
  while ((c = getchar()) != EOF && length < sizeof words[0]) {
    word[length++] = (char)c;
    if (c == 0) return 1;
  }
  return 0;
}

static int share(const char *dir) {
  if (mount(dir, dir, NULL, MS_BIND, NULL) != 0) return errno;
  if (mount(NULL, dir, NULL, MS_PRIVATE, NULL) != 0 || mount(NULL, dir, NULL, MS_SHARED, NULL) != 0) return errno;
  return 0;
}

/* The attributes are set before anybody sees the mount: set afterwards they would hold here and not in the sandbox. */
static int attach(const char *from, const char *to) {
  struct attributes closed = {NO_SET_ID | NO_DEVICES, 0, MS_PRIVATE, 0};
  int error = 0, fd = (int)syscall(OPEN_TREE, AT_FDCWD, from, CLONE_TREE | O_CLOEXEC | AT_SYMLINK_NOFOLLOW);
  if (fd < 0) return errno;
  if (syscall(MOUNT_SETATTR, fd, "", AT_EMPTY_PATH, &closed, sizeof closed) != 0 ||
      syscall(MOVE_MOUNT, fd, "", AT_FDCWD, to, MOVE_EMPTY_PATH) != 0)
    error = errno;
  close(fd);
  return error;
}

static int detach(const char *to) { return umount2(to, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 ? 0 : errno; }

int main(void) {
  while (read_word(words[0])) {
    int error = EINVAL;
    if (!read_word(words[1])) return 1;
    if (strcmp(words[0], "share") == 0) error = share(words[1]);
    if (strcmp(words[0], "detach") == 0) error = detach(words[1]);
    if (strcmp(words[0], "attach") == 0) {
      if (!read_word(words[2])) return 1;
      error = attach(words[1], words[2]);
    }
    printf("%d\n", error);
    fflush(stdout);
  }
  return 0;
}
