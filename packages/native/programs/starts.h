/* Starts things for a large process, which requests them over connections.
 *
 * The client knows the name of an abstract socket. For each start it makes `count` + 1 connections at once. All but the
 * first become descriptors 1 to `count` of what is started. The first carries the request: the number of bytes that
 * follow, a space, and at least four words, each terminated by NUL, of which the first is a number. The answer is
 * lines: `pid N` or `error ERRNO`, then `exit CODE` or `signal N`. The pid is not reused until the first connection
 * ends, which kills the program.
 *
 * A program that includes this sets `count`, `parent` and `parent_channel`, and defines what is declared here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sockets.h"

enum { COUNT_MAX = 16, STARTS_MAX = 2048, BYTES_MAX = 1 << 16, WORDS_MAX = 512 };

/* A program, from its connections until the first of them ends. */
struct start {
  int control, channel, has_ended, asked, length;
  long number;
  pid_t pid;
  char *text;
  int descriptors[COUNT_MAX];
};

static struct start *starts[STARTS_MAX];
static int used, count, listener, parent_channel;
static pid_t parent;
/* No descriptor is left for another connection, until something ends. */
static int is_full;
/* Connections that are fewer than a program needs so far. */
static int gathered[COUNT_MAX + 1], gathered_count;

/* Executes a request and answers. */
static void start_program(struct start *one, char **words);
/* Its channel has data. */
static void attend(struct start *one);
/* A child has died or stopped. */
static void look_for_the_dead(void);
/* Allows its pid to be reused. */
static void let_go(pid_t pid);

static void fail(const char *what) {
  fprintf(stderr, "start: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Called when the parent is gone. */
static void leave(void) { exit(0); }

static void tell(struct start *one, const char *what, long number) {
  char line[48];
  int length = snprintf(line, sizeof line, "%s %ld\n", what, number);
  if (send(one->control, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
}

static void close_all(int *descriptors, int number) {
  for (int i = 0; i < number; i++) close(descriptors[i]);
  is_full = 0;
}

static void drop(int at) {
  struct start *one = starts[at];
  is_full = 0;
  if (one->channel >= 0) close(one->channel);
  free(one->text);
  free(one);
  starts[at] = starts[--used];
}

/* The parent has closed its connection. A living program is removed once it is dead. */
static void forget(int at) {
  struct start *one = starts[at];
  close(one->control);
  one->control = -1;
  is_full = 0;
  if (!one->asked) close_all(one->descriptors, count);
  if (one->pid > 0 && !one->has_ended) {
    kill(one->pid, SIGKILL);
    return;
  }
  if (one->pid > 0) let_go(one->pid);
  drop(at);
}

/* Only the parent may connect: other processes in its network could find the name. */
static int is_parents(int fd) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == parent;
}

static void gather(void) {
  for (;;) {
    struct start *one;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    is_full = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
    if (fd < 0) return;
    if (!is_parents(fd)) {
      close(fd);
      continue;
    }
    gathered[gathered_count++] = fd;
    if (gathered_count <= count) continue;
    gathered_count = 0;
    one = used < STARTS_MAX ? calloc(1, sizeof *one) : NULL;
    if (one == NULL) {
      close_all(gathered, count + 1);
      continue;
    }
    one->control = gathered[0];
    one->channel = -1;
    memcpy(one->descriptors, gathered + 1, (size_t)count * sizeof(int));
    starts[used++] = one;
  }
}

/* Returns a request as words; NULL if it is invalid. */
static char **words_of(char *at, long length) {
  static char *words[WORDS_MAX + 1];
  char *end = at + length;
  int number = 0;
  for (; at < end; at += strlen(at) + 1) {
    if (number == WORDS_MAX) return NULL;
    words[number++] = at;
  }
  words[number] = NULL;
  return number >= 4 && end[-1] == 0 ? words : NULL;
}

/* Executes a request once all of it has arrived. Returns false if it is invalid, or the parent has closed the
 * connection. */
static int listen_to(struct start *one) {
  char *at, **words, ignored[64];
  long length;
  ssize_t got;
  if (!one->asked && one->text == NULL && (one->text = malloc(BYTES_MAX + 1)) == NULL) return 0;
  got = one->asked ? recv(one->control, ignored, sizeof ignored, MSG_DONTWAIT)
                   : recv(one->control, one->text + one->length, (size_t)(BYTES_MAX - one->length), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0 || one->asked) return got > 0;
  one->length += (int)got;
  one->text[one->length] = 0;
  length = strtol(one->text, &at, 10);
  if (at == one->text + one->length) return 1;
  if (*at++ != ' ' || length <= 0 || length > BYTES_MAX - 32) return 0;
  if (one->text + one->length - at < length) return 1;
  if ((words = words_of(at, length)) == NULL) return 0;
  one->asked = 1;
  start_program(one, words);
  return 1;
}

static volatile sig_atomic_t somebody_died;
static void note_death(int number) { somebody_died = number; }

/* Prints its name, digits that the kernel chose. Call it once everything else is ready. */
static void open_listener(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  struct sigaction action = {.sa_handler = note_death};
  socklen_t size = sizeof name;
  sigset_t deaths;
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name.sun_family) != 0 ||
      listen(listener, 4096) != 0 || getsockname(listener, (struct sockaddr *)&name, &size) != 0)
    fail("socket");
  sigemptyset(&deaths);
  sigaddset(&deaths, SIGCHLD);
  sigprocmask(SIG_BLOCK, &deaths, NULL);
  sigaction(SIGCHLD, &action, NULL);
  printf("%.*s\n", (int)(size - offsetof(struct sockaddr_un, sun_path) - 1), name.sun_path + 1);
  if (fflush(stdout) != 0) fail("say");
}

static struct pollfd polled[2 * STARTS_MAX + 2];

static int poll_all(void) {
  sigset_t all_open;
  int number = 2;
  sigemptyset(&all_open);
  polled[0] = (struct pollfd){.fd = parent_channel, .events = POLLIN};
  polled[1] = (struct pollfd){.fd = is_full ? -1 : listener, .events = POLLIN};
  for (int i = 0; i < used; i++) {
    polled[number++] = (struct pollfd){.fd = starts[i]->control, .events = POLLIN};
    polled[number++] = (struct pollfd){.fd = starts[i]->channel, .events = POLLIN};
  }
  number = ppoll(polled, (nfds_t)number, NULL, &all_open);
  if (number < 0 && errno != EINTR) fail("poll");
  return number > 0;
}

static void turn(void) {
  char ignored[4096];
  if (poll_all()) {
    /* The parent's answers do not matter; that it stops answering does. */
    if (polled[0].revents != 0) {
      ssize_t got = recv(parent_channel, ignored, sizeof ignored, MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) leave();
    }
    /* From the last one, which takes the place of a removed one. */
    for (int at = used; at-- > 0;) {
      if (polled[2 * at + 3].revents != 0) attend(starts[at]);
      if (polled[2 * at + 2].revents != 0 && !listen_to(starts[at])) forget(at);
    }
    if (polled[1].revents != 0) gather();
  }
  if (somebody_died) {
    somebody_died = 0;
    look_for_the_dead();
  }
}

