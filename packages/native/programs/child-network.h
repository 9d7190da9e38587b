/* The network of a template's child: loopback, and the sockets that the parent gets of it. */
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include "transparent.h"

static int own_network;

/* Enters a new network namespace. This program must return from a child's network, and the kernel lets an ordinary user
 * return only to a network of that user's namespace, which the parent's network is not. */
static void enter_own_network(void) {
  if (unshare(CLONE_NEWNET) != 0) fail("network");
  own_network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if ((own_network = fcntl(own_network, F_DUPFD_CLOEXEC, COUNT_MAX + 2)) < 0) fail("descriptors");
}

/* Call it in the child's network. Returns a listening socket, or -1 with errno. */
static int listen_for_child(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0dari"};
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + 5;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&name, size) == 0 && listen(fd, 1) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static int raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = -1;
  if (fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    result = ioctl(fd, SIOCSIFFLAGS, &request);
  }
  close(fd);
  return result;
}

/* Gives a socket to the parent: over Node's channel, through the program that has started this one. */
static int send_up(long number, int port, int fd) {
  char message[32];
  snprintf(message, sizeof message, "%ld", number * 65536 + port);
  int sent = send_socket(parent_channel, message, fd);
  close(fd);
  return sent ? 0 : -1;
}

/* A child whose network cannot be set up has only the proxy. Returns -1 if the parent does not get a socket. */
static int try_transparent(struct start *one, char *word) {
  int sockets[2];
  if (open_transparent(word, sockets) != 0) return say_proxy_only(one->descriptors[1]), 0;
  int result = send_up(one->number, TRANSPARENT_PORT, sockets[0]);
  return send_up(one->number, NAME_PORT, sockets[1]) == 0 ? result : -1;
}

static int open_ports(struct start *one, char *ports) {
  char *rest, *port;
  for (port = strtok_r(ports, ",", &rest); port != NULL; port = strtok_r(NULL, ",", &rest)) {
    int fd;
    if (is_transparent(port)) {
      if (try_transparent(one, port) != 0) return -1;
      continue;
    }
    if ((fd = listen_on(atoi(port))) < 0 || send_up(one->number, atoi(port), fd) != 0) return -1;
  }
  return 0;
}

static int open_network(struct start *one, char *ports) {
  char path[64];
  int result = -1, network;
  snprintf(path, sizeof path, "/proc/%d/ns/net", one->pid);
  if ((network = open(path, O_RDONLY | O_CLOEXEC)) < 0) return -1;
  if (setns(network, CLONE_NEWNET) == 0) {
    if (raise_loopback() == 0 && open_ports(one, ports) == 0 && (one->channel = listen_for_child()) >= 0)
      result = 0;
    int error = errno;
    if (setns(own_network, CLONE_NEWNET) != 0) leave();
    errno = error;
  }
  close(network);
  return result;
}
