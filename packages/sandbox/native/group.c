/* Makes a control group, sets its bounds, enters it and becomes the program.
 *
 *   group DESCRIPTOR STEP... -- PROGRAM ARGUMENT...
 *
 * where a STEP is
 *
 *   make DIR           makes a directory
 *   set FILE TEXT      writes to a file
 *   try FILE TEXT      writes where the kernel has such a file and allows it
 *   enter FILE         this process becomes one of those that the file lists
 *
 * Says on the descriptor why the program was not started. A process of one thread that moves itself into a group is
 * moved at once. Who moves another one is made to wait until all processors have taken note, 10 ms and more, and with
 * it everybody who makes or removes a group meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int complaints = 2;

static void fail(const char *what) {
  dprintf(complaints, "sandbox: %s: %s\n", what, strerror(errno));
  exit(125);
}

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

/* Carries out one step and returns how many words it has; 0: there is no such step. */
static int take(char **words, int count) {
  const char *step = words[0];
  if (count >= 2 && strcmp(step, "make") == 0) return mkdir(words[1], 0777) == 0 ? 2 : -1;
  if (count >= 2 && strcmp(step, "enter") == 0) return write_to(words[1], "0") == 0 ? 2 : -1;
  if (count >= 3 && strcmp(step, "set") == 0) return write_to(words[1], words[2]) == 0 ? 3 : -1;
  if (count < 3 || strcmp(step, "try") != 0) return 0;
  write_to(words[1], words[2]);
  return 3;
}

int main(int argc, char **argv) {
  int at = 2, taken;
  if (argc > 1) complaints = atoi(argv[1]);
  while (at < argc && strcmp(argv[at], "--") != 0) {
    taken = take(argv + at, argc - at);
    if (taken < 0) fail(argv[at + 1]);
    if (taken == 0) break;
    at += taken;
  }
  if (at + 1 >= argc || strcmp(argv[at], "--") != 0) {
    fprintf(stderr, "sandbox: group DESCRIPTOR STEP... -- PROGRAM ARGUMENT...\n");
    return 125;
  }
  execv(argv[at + 1], argv + at + 1);
  fail(argv[at + 1]);
}
