/* The network access of a container that cannot hand over sockets, because it has its own kernel (gVisor).
 *
 *   relay PORT[,PORT...] PROGRAM ARGUMENT...
 *
 * Listens on these loopback ports, leaves a process behind that joins each connection with the worker's UNIX socket
 * named by the port in SOCKETS, and becomes the program. The program can connect there directly or kill that process:
 * it gains nothing, and there is no other way out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "close-from.h"
#include "programs.h"

/* Connections above CONNECTIONS_MAX wait. CARRIED_MAX: buffered bytes per direction of a connection. Descriptors below
 * OWN_FROM and above the listeners existed before. */
enum { PORTS_MAX = 64, CONNECTIONS_MAX = 256, CARRIED_MAX = 16384, OWN_FROM = 64 };
#define SOCKETS "/.sandbox/ports"

struct direction {
  int from, to;
  size_t start, end;
  /* Nothing more arrives, and the receiver has been told. */
  int is_over, is_told;
  char carried[CARRIED_MAX];
};

/* What the program sends, and what it receives. */
static struct connection {
  int is_open;
  struct direction ways[2];
} *connections;

static int listeners[PORTS_MAX], ports[PORTS_MAX], port_count;
static struct pollfd watched[PORTS_MAX + 2 * CONNECTIONS_MAX];

static _Noreturn void fail(const char *what) {
  dprintf(2, "sandbox: %s: %s\n", what, strerror(errno));
  exit(125);
}

static int connect_out(int port) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, SOCKETS "/%d", port);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static void take_connection(int listener, int port, struct connection *one) {
  int ends[2], i;
  ends[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (ends[0] < 0) return;
  ends[1] = connect_out(port);
  if (ends[1] < 0) {
    close(ends[0]);
    return;
  }
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  one->is_open = 1;
  for (i = 0; i < 2; i++) {
    struct direction *way = &one->ways[i];
    way->from = ends[i];
    way->to = ends[1 - i];
    way->start = way->end = 0;
    way->is_over = way->is_told = 0;
  }
}

static int is_later(void) { return errno == EAGAIN || errno == EINTR; }

/* Transfers as much as possible at once. Returns 0 if one of the two ends is broken. */
static int carry(struct direction *way) {
  ssize_t done;
  if (way->start == way->end && !way->is_over) {
    done = read(way->from, way->carried, sizeof way->carried);
    if (done < 0 && !is_later()) return 0;
    way->is_over = done == 0;
    way->start = 0;
    way->end = done > 0 ? (size_t)done : 0;
  }
  if (way->start < way->end) {
    done = send(way->to, way->carried + way->start, way->end - way->start, MSG_NOSIGNAL);
    if (done < 0 && !is_later()) return 0;
    if (done > 0) way->start += (size_t)done;
  }
  if (way->is_over && way->start == way->end && !way->is_told) {
    shutdown(way->to, SHUT_WR);
    way->is_told = 1;
  }
  return 1;
}

static void close_connection(struct connection *one) {
  close(one->ways[0].from);
  close(one->ways[1].from);
  one->is_open = 0;
}

static short wanted(const struct direction *read_here, const struct direction *written_here) {
  short events = 0;
  if (read_here->start == read_here->end && !read_here->is_over) events |= POLLIN;
  if (written_here->start < written_here->end) events |= POLLOUT;
  return events;
}

/* Fills `watched`: the ports, then two for each connection. Returns a free connection, or NULL. */
static struct connection *plan(void) {
  struct connection *free_one = NULL;
  int i, side;
  for (i = 0; i < CONNECTIONS_MAX; i++) {
    struct connection *one = &connections[i];
    if (!one->is_open) free_one = one;
    for (side = 0; side < 2; side++) {
      short events = one->is_open ? wanted(&one->ways[side], &one->ways[1 - side]) : 0;
      /* Without an event to wait for, poll would repeatedly report that it is broken. */
      watched[PORTS_MAX + 2 * i + side] = (struct pollfd){events == 0 ? -1 : one->ways[side].from, events, 0};
    }
  }
  for (i = 0; i < PORTS_MAX; i++)
    watched[i] = (struct pollfd){i < port_count && free_one != NULL ? listeners[i] : -1, POLLIN, 0};
  return free_one;
}

static void serve(void) {
  for (;;) {
    struct connection *free_one = plan();
    int i;
    if (poll(watched, PORTS_MAX + 2 * CONNECTIONS_MAX, -1) < 0) continue;
    for (i = 0; i < CONNECTIONS_MAX; i++) {
      struct connection *one = &connections[i];
      const struct pollfd *ends = &watched[PORTS_MAX + 2 * i];
      if (!one->is_open || (ends[0].revents == 0 && ends[1].revents == 0)) continue;
      if (!carry(&one->ways[0]) || !carry(&one->ways[1]) || (one->ways[0].is_told && one->ways[1].is_told))
        close_connection(one);
    }
    /* Accepts one connection; the next one in the next round, because the free connection is taken then. */
    for (i = 0; i < port_count && watched[i].revents == 0; i++) {}
    if (i < port_count) take_connection(listeners[i], ports[i], free_one);
  }
}

static int listen_on(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int fd = made < 0 ? -1 : fcntl(made, F_DUPFD_CLOEXEC, OWN_FROM);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 511) != 0) fail("listen");
  close(made);
  return fd;
}

/* Forks through an intermediate process that ends at once, so that it is not a child of the program. */
static void leave_behind(void) {
  pid_t pid = fork();
  int fd;
  if (pid < 0) fail("fork");
  if (pid != 0) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    return;
  }
  if (fork() != 0) _exit(0);
  setsid();
  if ((connections = calloc(CONNECTIONS_MAX, sizeof *connections)) == NULL) fail("memory");
  /* Earlier descriptors belong to others: an end that stays open here would never close for them, and the program,
   * which has the same user, could take it from here. */
  for (fd = 0; fd < OWN_FROM; fd++) close(fd);
  if (close_from(listeners[port_count - 1] + 1) != 0) fail("/proc/self/fd");
  serve();
}

int relay_main(int argc, char **argv) {
  char *rest, *port;
  if (argc < 3) {
    fprintf(stderr, "sandbox: relay PORT[,PORT...] PROGRAM ARGUMENT...\n");
    return 125;
  }
  for (port = strtok_r(argv[1], ",", &rest); port != NULL; port = strtok_r(NULL, ",", &rest)) {
    if (port_count == PORTS_MAX) errno = E2BIG, fail("the loopback ports");
    ports[port_count] = atoi(port);
    listeners[port_count++] = listen_on(atoi(port));
  }
  leave_behind();
  execv(argv[2], argv + 2);
  fail(argv[2]);
}
