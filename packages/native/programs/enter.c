/* Runs first in a sandbox: reads from a pipe what to become, sets the limits of each process, listens on loopback
 * ports, hands each listening socket to the worker over the channel that Node opened for its child, closes pipe and
 * channel and becomes the program. Afterwards the worker accepts the program's connections, and nothing of ours is left
 * in the sandbox.
 *
 *   enter DESCRIPTOR
 *
 * Reads words, each terminated by NUL, to the end: PORT[,PORT...] or nothing, LIMIT=NUMBER[,LIMIT=NUMBER...], USER or
 * nothing, the program and its arguments. PORT: a number, or what transparent.h names, which only start.c supports.
 * USER: the user and group that it becomes, without any capability. That needs CAP_SETUID, CAP_SETGID and CAP_SETPCAP.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "programs.h"
#include "sockets.h"
#include "transparent.h"

enum { WORDS_MAX = 4096, BYTES_MAX = 1 << 20 };

static char bytes[BYTES_MAX];
static char *words[WORDS_MAX + 1];

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
  exit(125);
}

static int read_words(int fd) {
  size_t length = 0, at;
  int count = 0;
  ssize_t got;
  while ((got = read(fd, bytes + length, sizeof bytes - length)) != 0) {
    if (got < 0 && errno != EINTR && errno != EAGAIN) fail("read");
    if (got > 0) length += (size_t)got;
    if (length == sizeof bytes) errno = E2BIG, fail("the program's arguments");
  }
  close(fd);
  for (at = 0; at < length; at += strlen(bytes + at) + 1) {
    if (count == WORDS_MAX) errno = E2BIG, fail("the program's arguments");
    words[count++] = bytes + at;
  }
  /* The list is incomplete if the worker died. */
  if (count < 4 || bytes[length - 1] != 0) errno = EPIPE, fail("the worker hung up");
  return count;
}

/* Waits for one line, an acknowledgement. This keeps the descriptors of two messages apart, and the channel open until
 * the worker has answered. Returns the number that the line begins with, which is 0 in the worker's own lines. */
static int await_line(int channel) {
  int number = 0, is_number = 1;
  for (char c = 0; c != '\n';) {
    ssize_t got = read(channel, &c, 1);
    if (got == 0) fail("the worker hung up");
    if (got < 0 && errno != EINTR && errno != EAGAIN) fail("read");
    if (got == 1 && (is_number = is_number && c >= '0' && c <= '9')) number = number * 10 + c - '0';
  }
  return number;
}

/* The reader of the channel has rights over this network, and sends the sockets on. */
static void ask_for_transparent(int channel, const char *word) {
  int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (network < 0 || !send_with(channel, word, strlen(word) + 1, &network, 1)) fail("hand over the network");
  close(network);
  if ((errno = await_line(channel)) != 0) say_proxy_only(2);
}

static void hand_over(int channel, const char *port) {
  int fd = listen_on(atoi(port));
  if (fd < 0) fail(port);
  if (!send_socket(channel, port, fd)) fail("hand over a socket");
  await_line(channel);
  close(fd);
}

static void open_ports(char *ports) {
  const char *number = getenv("NODE_CHANNEL_FD");
  char *rest, *port;
  int channel;
  if (number == NULL) return;
  channel = atoi(number);
  for (port = strtok_r(ports, ",", &rest); port != NULL; port = strtok_r(NULL, ",", &rest)) {
    if (is_transparent(port)) ask_for_transparent(channel, port);
    else hand_over(channel, port);
  }
  close(channel);
  unsetenv("NODE_CHANNEL_FD");
  unsetenv("NODE_CHANNEL_SERIALIZATION_MODE");
}

static void set_limits(char *list) {
  static const struct { const char *name; int resource; } known[] = {
      {"core", RLIMIT_CORE}, {"data", RLIMIT_DATA}, {"nofile", RLIMIT_NOFILE},
      {"fsize", RLIMIT_FSIZE}, {"cpu", RLIMIT_CPU}, {"nproc", RLIMIT_NPROC},
      {"sigpending", RLIMIT_SIGPENDING}, {"memlock", RLIMIT_MEMLOCK},
  };
  char *rest, *item;
  for (item = strtok_r(list, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
    char *value = strchr(item, '=');
    size_t i, count = sizeof known / sizeof *known;
    if (value == NULL) errno = EINVAL, fail(item);
    *value++ = 0;
    for (i = 0; i < count && strcmp(known[i].name, item) != 0; i++) {}
    if (i == count) errno = EINVAL, fail(item);
    struct rlimit limit = {.rlim_cur = strtoull(value, NULL, 10), .rlim_max = strtoull(value, NULL, 10)};
    if (setrlimit(known[i].resource, &limit) != 0) fail(item);
  }
}

/* The worker's groups are the host's, and the program must not have its rights in the sandbox. */
static void become(const char *user) {
  struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}, {0}};
  gid_t id = (gid_t)strtoul(user, NULL, 10);
  for (unsigned long one = 0; one <= CAP_LAST_CAP; one++)
    if (prctl(PR_CAPBSET_DROP, one, 0, 0, 0) != 0 && errno != EINVAL) fail("drop a capability");
  if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) fail("become the user");
  if (syscall(SYS_capset, &self, none) != 0) fail("drop all capabilities");
}

int enter_main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "sandbox: enter DESCRIPTOR\n");
    return 125;
  }
  read_words(atoi(argv[1]));
  open_ports(words[0]);
  set_limits(words[1]);
  if (*words[2] != 0) become(words[2]);
  execv(words[3], words + 3);
  fail(words[3]);
}
