/* Writes to a file of the kernel: everything at once, or nothing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Returns -1 with errno. Does not create a missing file. */
static int write_to(const char *file, const char *text) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  ssize_t wrote, length = (ssize_t)strlen(text);
  int error;
  if (fd < 0) return -1;
  wrote = write(fd, text, (size_t)length);
  error = wrote == length ? 0 : wrote < 0 ? errno : EIO;
  close(fd);
  errno = error;
  return error == 0 ? 0 : -1;
}
