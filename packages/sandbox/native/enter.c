/* Runs first in a sandbox's network namespace: listens on loopback ports, hands each listening socket to the worker over
 * the channel that Node opened for its child, closes that channel and becomes the program. Afterwards the worker accepts
 * what the program connects to, and nothing of ours is left in the sandbox.
 *
 *   enter PORT[,PORT...] PROGRAM [ARGUMENT...]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
  exit(125);
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int yes = 1;
  struct sockaddr_in address = {0};
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  if (listen(fd, 511) != 0) fail("listen");
  return fd;
}

/* Node's framing for a handle: a line of JSON, with the descriptor beside it. */
static void hand_over(int channel, int port, int fd) {
  char text[96];
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {.iov_base = text};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  part.iov_len =
      (size_t)snprintf(text, sizeof text, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":%d}\n", port);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(channel, &message, MSG_NOSIGNAL) != (ssize_t)part.iov_len) fail("hand over a socket");
}

/* One acknowledgement is one line. Waiting for it keeps the descriptors of two messages apart. */
static void await_line(int channel) {
  char c = 0;
  while (c != '\n') {
    ssize_t got = read(channel, &c, 1);
    if (got == 0) fail("the worker hung up");
    if (got < 0 && errno != EINTR && errno != EAGAIN) fail("read");
  }
}

int main(int argc, char **argv) {
  const char *number = getenv("NODE_CHANNEL_FD");
  char *rest, *port;
  int channel;
  if (argc < 3 || number == NULL) {
    fprintf(stderr, "sandbox: enter PORTS PROGRAM, with a channel to the worker\n");
    return 125;
  }
  channel = atoi(number);
  for (port = strtok_r(argv[1], ",", &rest); port != NULL; port = strtok_r(NULL, ",", &rest)) {
    int fd = listen_on(atoi(port));
    hand_over(channel, atoi(port), fd);
    await_line(channel);
    close(fd);
  }
  close(channel);
  unsetenv("NODE_CHANNEL_FD");
  unsetenv("NODE_CHANNEL_SERIALIZATION_MODE");
  execv(argv[2], argv + 2);
  fail(argv[2]);
}
