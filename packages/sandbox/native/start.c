/* Starts programs for a large process: to fork that one takes milliseconds in which all of it stands still. Its parent
 * is Node and has opened Node's own channel to it.
 *
 *   start COUNT
 *
 * says the name of an abstract socket, as a line. For each program the parent makes COUNT + 1 connections at once. All
 * but the first become the program's descriptors 1 to COUNT; by the first it says what to start: how many bytes follow,
 * a space, and words, each ended by NUL:
 *
 *   NUMBER HOW DIRECTORY PROGRAM ARGUMENT...
 *
 * Answered with lines: `pid N` or `error ERRNO`, then `exit CODE` or `signal N`. The environment is empty. HOW is made
 * of letters. `s`: the program has a channel at COUNT + 1, as Node's children have: listening sockets that it hands
 * over there go on to the parent, with NUMBER. `k`: it is killed when this one ends, as this one does with its parent.
 * The program is a session of its own and comes after its parent when processors are scarce. Its pid is nobody else's
 * until the first connection ends, which kills it.
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT_MAX = 16, STARTS_MAX = 2048, BYTES_MAX = 1 << 16, WORDS_MAX = 512, BELOW_NORMAL = 10 };

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
static pid_t parent, self;
/* No descriptor is left for one more connection, until something ends. */
static int is_full;
/* Connections that are not yet as many as a program needs. */
static int gathered[COUNT_MAX + 1], gathered_count;

static void fail(const char *what) {
  fprintf(stderr, "start: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Where the parent is gone. */
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

/* The parent knows no more of it. One that lives is dropped when it is dead. */
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
  if (one->pid > 0) waitpid(one->pid, NULL, 0);
  drop(at);
}

/* Only the parent may: whoever shares its network could find the name. */
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

/* Sent to the worker and whatever it started, they are not meant for programs that may come to their end. */
static const int to_all[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/* In the child, which shares this process's memory until it is another program; answers with why it is not. */
static int become(struct start *one, char **words, int channel) {
  sigset_t none;
  int nothing[2];
  /* An end of nobody's: of /dev/null, which is the host's, a program of the same user could change mode and owner. */
  if (pipe2(nothing, O_CLOEXEC) != 0 || dup2(nothing[0], 0) < 0) return errno;
  /* None of these lies below COUNT + 2: the places are kept taken. */
  for (int i = 0; i < count; i++)
    if (dup2(one->descriptors[i], i + 1) < 0) return errno;
  if (channel >= 0 && dup2(channel, count + 1) < 0) return errno;
  sigemptyset(&none);
  for (size_t i = 0; i < sizeof to_all / sizeof *to_all; i++) signal(to_all[i], SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  if (strchr(words[1], 'k') != NULL) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != self) _exit(127);
  }
  if (getpriority(PRIO_PROCESS, 0) < BELOW_NORMAL) setpriority(PRIO_PROCESS, 0, BELOW_NORMAL);
  if (chdir(words[2]) != 0) return errno;
  char variable[32], *with[] = {variable, NULL}, *without[] = {NULL};
  snprintf(variable, sizeof variable, "NODE_CHANNEL_FD=%d", count + 1);
  execve(words[3], words + 3, channel >= 0 ? with : without);
  return errno;
}

static void start_program(struct start *one, char **words) {
  int pair[2] = {-1, -1};
  volatile int error = 0;
  one->number = strtol(words[0], NULL, 10);
  if (strchr(words[1], 's') != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) error = errno;
  if (error == 0) {
    one->pid = vfork();
    if (one->pid == 0) {
      error = become(one, words, pair[1]);
      _exit(127);
    }
    if (one->pid < 0) error = errno;
  }
  close_all(one->descriptors, count);
  if (pair[1] >= 0) close(pair[1]);
  one->channel = pair[0];
  if (error == 0) return tell(one, "pid", one->pid);
  if (one->pid > 0) waitpid(one->pid, NULL, 0);
  one->pid = 0;
  tell(one, "error", error);
}

/* What is asked, as words; NULL where it cannot be understood. */
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

/* Carries out what is asked once all of it has come. False: it cannot be, or the parent has closed the connection. */
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

/* One message of Node's channel: a line of JSON, with a descriptor beside it. */
static void send_on(struct start *one, const char *text, int fd) {
  char line[128];
  const char *port = strstr(text, "\"msg\":");
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {.iov_base = line};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (port == NULL) return;
  part.iov_len = (size_t)snprintf(line, sizeof line,
                                  "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":[%ld,%d]}\n",
                                  one->number, atoi(port + 6));
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(parent_channel, &message, MSG_NOSIGNAL) != (ssize_t)part.iov_len) leave();
}

static void relay(struct start *one) {
  char text[256];
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec part = {.iov_base = text, .iov_len = sizeof text - 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(one->channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  int fd;
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    text[got] = 0;
    send_on(one, text, fd);
    close(fd);
    if (send(one->channel, "\n", 1, MSG_NOSIGNAL) == 1) return;
  }
  /* It has handed over everything, or says what nobody understands. */
  close(one->channel);
  one->channel = -1;
}

/* Who has ended keeps its number until nobody can mean it any more. */
static void look_for_the_dead(void) {
  for (int at = used; at-- > 0;) {
    struct start *one = starts[at];
    siginfo_t info = {0};
    if (one->pid <= 0 || one->has_ended) continue;
    if (waitid(P_PID, (id_t)one->pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0 || info.si_pid == 0) continue;
    one->has_ended = 1;
    if (one->control >= 0) {
      tell(one, info.si_code == CLD_EXITED ? "exit" : "signal", info.si_status);
      continue;
    }
    waitpid(one->pid, NULL, 0);
    drop(at);
  }
}

/* What stands in the place of descriptors that the parent has got itself is nobody's either. */
static void close_from(int first) {
  struct rlimit files;
  int fd, end = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 65536 ? (int)files.rlim_cur : 65536;
  if (close_range((unsigned)first, ~0U, 0) == 0) return;
  for (fd = first; fd < end; fd++) close(fd);
}

static volatile sig_atomic_t somebody_died;
static void note_death(int number) { somebody_died = number; }

static void prepare(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  struct sigaction action = {.sa_handler = note_death};
  const char *channel = getenv("NODE_CHANNEL_FD");
  socklen_t size = sizeof name;
  sigset_t deaths;
  parent = getppid();
  self = getpid();
  for (size_t i = 0; i < sizeof to_all / sizeof *to_all; i++) signal(to_all[i], SIG_IGN);
  if (channel == NULL) errno = EINVAL, fail("there is no channel");
  close_from(atoi(channel) + 1);
  /* The places of the programs' descriptors are kept taken, so that none of this one's lies in them. */
  if ((parent_channel = fcntl(atoi(channel), F_DUPFD_CLOEXEC, COUNT_MAX + 2)) < 0) fail("channel");
  close(atoi(channel));
  for (int fd = 0; fd <= COUNT_MAX + 1;)
    if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) fail("/dev/null");
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name.sun_family) != 0 ||
      listen(listener, 4096) != 0 || getsockname(listener, (struct sockaddr *)&name, &size) != 0)
    fail("socket");
  sigemptyset(&deaths);
  sigaddset(&deaths, SIGCHLD);
  sigprocmask(SIG_BLOCK, &deaths, NULL);
  sigaction(SIGCHLD, &action, NULL);
  /* The kernel has made it up, of digits. */
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
    /* The parent's answers say nothing; its silence does. */
    if (polled[0].revents != 0) {
      ssize_t got = recv(parent_channel, ignored, sizeof ignored, MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) leave();
    }
    /* From the last: it takes the place of one that is dropped. */
    for (int at = used; at-- > 0;) {
      if (polled[2 * at + 3].revents != 0) relay(starts[at]);
      if (polled[2 * at + 2].revents != 0 && !listen_to(starts[at])) forget(at);
    }
    if (polled[1].revents != 0) gather();
  }
  if (somebody_died) {
    somebody_died = 0;
    look_for_the_dead();
  }
}

int main(int argc, char **argv) {
  count = argc == 2 ? atoi(argv[1]) : 0;
  if (count < 1 || count > COUNT_MAX) {
    fprintf(stderr, "start: start COUNT, at most %d\n", COUNT_MAX);
    return 1;
  }
  prepare();
  for (;;) turn();
}
