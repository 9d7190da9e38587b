/* Listening sockets on loopback, and sending descriptors between processes. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Returns a descriptor, or -1 with errno. */
static inline int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int yes = 1;
  struct sockaddr_in address = {0};
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 511) == 0 ? fd : -1;
}

enum { DESCRIPTORS_MAX = 16 };

/* Returns false unless everything was sent. */
static inline int send_with(int to, const char *text, size_t length, const int *descriptors, int count) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
  } control = {0};
  size_t bytes = (size_t)count * sizeof(int);
  struct iovec part = {.iov_base = (char *)text, .iov_len = length};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(bytes)};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(bytes);
  memcpy(CMSG_DATA(header), descriptors, bytes);
  return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)length;
}

/* Sends a socket on the channel that Node opened for its child. `message`: a JSON value. Returns false unless
 * everything was sent. */
static inline int send_socket(int channel, const char *message, int fd) {
  char line[192];
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return 0;
  const char *class = type == SOCK_DGRAM ? "dgram.Socket\",\"dgramType\":\"udp4" : "net.Server";
  int length = snprintf(line, sizeof line, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"%s\",\"msg\":%s}\n", class, message);
  return send_with(channel, line, (size_t)length, &fd, 1);
}
