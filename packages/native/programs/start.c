/* Starts programs for a large process, which would stand still for milliseconds while it forks. Its parent is Node and
 * has opened Node's own channel to it.
 *
 *   start COUNT
 *
 * Prints the name of its socket, as a line, and gets requests (starts.h) with the words
 *
 *   NUMBER HOW DIRECTORY PROGRAM ARGUMENT...
 *
 * The environment is empty. HOW consists of letters. `s`: the program has a channel at COUNT + 1, like Node's children:
 * listening sockets that it hands over there go to the parent, with NUMBER. `k`: it is killed when this process ends,
 * as this one is with its parent. `c`: it keeps this process's capabilities, which only a program of ours may; no other
 * program of a user who is not root has any. The program is in its own session and has a lower priority than its
 * parent. If a program sends its network namespace there with a word of transparent.h, this process sets the namespace
 * up and gives the sockets to the parent.
 */
#define _GNU_SOURCE
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include "close-from.h"
#include "programs.h"
#include "starts.h"
#include "transparent.h"

enum { BELOW_NORMAL = 10 };

static pid_t self;

/* Sent to the worker and its processes, these signals are not meant for programs that may end normally. */
static const int to_all[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/* Runs in the child, which shares this process's memory until it becomes another program. Returns why it could not. */
static int become(struct start *one, char **words, int channel) {
  sigset_t none;
  int nothing[2];
  /* The read end of a pipe without a writer: a program of the same user could change mode and owner of /dev/null, which
   * is the host's. */
  if (pipe2(nothing, O_CLOEXEC) != 0 || dup2(nothing[0], 0) < 0) return errno;
  /* None of these is below COUNT + 2, because those numbers are occupied. */
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
  if (strchr(words[1], 'c') == NULL && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return errno;
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

/* Gives a socket to the parent, with the number of its program. */
static int send_up(struct start *one, int port, int fd) {
  char message[48];
  snprintf(message, sizeof message, "[%ld,%d]", one->number, port);
  return send_socket(parent_channel, message, fd);
}

/* Children of this process that set up networks. The kernel can let them wait for long. */
static struct { pid_t pid; long number; } helpers[STARTS_MAX];
static int helper_count;

/* Runs in such a child, because the owner of a namespace has rights over it only from inside, and cannot return.
 * Returns 0 or the error. */
static int set_up_network(struct start *one, char *word, int network) {
  int owner = ioctl(network, NS_GET_USERNS), sockets[2];
  if (owner < 0 || setns(owner, CLONE_NEWUSER) != 0 || setns(network, CLONE_NEWNET) != 0) return errno;
  /* It has copies of all descriptors. The kernel forgets this signal when rights change. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != self) return ESRCH;
  if (open_transparent(word, sockets) != 0) return errno;
  return send_up(one, TRANSPARENT_PORT, sockets[0]) && send_up(one, NAME_PORT, sockets[1]) ? 0 : EPIPE;
}

/* Answers the program that waits: 0 or the error. Returns false if it is gone. */
static int answer(struct start *one, int error) {
  char line[16];
  int length = snprintf(line, sizeof line, "%d\n", error);
  return send(one->channel, line, (size_t)length, MSG_NOSIGNAL) == length;
}

/* The program gets its answer once the child has ended. */
static void begin_network(struct start *one, char *word, int network) {
  pid_t pid = helper_count < STARTS_MAX ? fork() : (errno = EAGAIN, -1);
  if (pid == 0) _exit(set_up_network(one, word, network));
  if (pid < 0) answer(one, errno);
  else helpers[helper_count].pid = pid, helpers[helper_count++].number = one->number;
}

static void end_networks(void) {
  for (int at = helper_count; at-- > 0;) {
    int status;
    if (waitpid(helpers[at].pid, &status, WNOHANG) != helpers[at].pid) continue;
    long number = helpers[at].number;
    helpers[at] = helpers[--helper_count];
    for (int i = 0; i < used; i++)
      if (starts[i]->asked && starts[i]->number == number && starts[i]->channel >= 0)
        answer(starts[i], WIFEXITED(status) ? WEXITSTATUS(status) : EINTR);
  }
}

/* Returns false if the program has sent something unknown, or is gone. */
static int send_on(struct start *one, char *text, int fd) {
  const char *port = strstr(text, "\"msg\":");
  if (is_transparent(text)) return begin_network(one, text, fd), 1;
  if (port == NULL) return 0;
  if (!send_up(one, atoi(port + 6), fd)) leave();
  return answer(one, 0);
}

static void attend(struct start *one) {
  char text[512];
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
    int goes_on = send_on(one, text, fd);
    close(fd);
    if (goes_on) return;
  }
  /* It has handed over everything, or sent something unknown. */
  close(one->channel);
  one->channel = -1;
}

/* An ended process keeps its pid until no request can mean it. */
static void look_for_the_dead(void) {
  end_networks();
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
    let_go(one->pid);
    drop(at);
  }
}

/* Occupies the numbers of the programs' descriptors, so that none of this process's gets one. */
static void take_places(void) {
  for (int fd = 0; fd <= COUNT_MAX + 1;)
    if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) fail("/dev/null");
}

static void let_go(pid_t pid) { waitpid(pid, NULL, 0); }

static void prepare(void) {
  const char *channel = getenv("NODE_CHANNEL_FD");
  parent = getppid();
  self = getpid();
  for (size_t i = 0; i < sizeof to_all / sizeof *to_all; i++) signal(to_all[i], SIG_IGN);
  if (channel == NULL) errno = EINVAL, fail("there is no channel");
  /* The parent replaces descriptors that it has inherited itself by /dev/null. */
  if (close_from(atoi(channel) + 1) != 0) fail("/proc/self/fd");
  if ((parent_channel = fcntl(atoi(channel), F_DUPFD_CLOEXEC, COUNT_MAX + 2)) < 0) fail("channel");
  close(atoi(channel));
  take_places();
  open_listener();
}

int start_main(int argc, char **argv) {
  count = argc == 2 ? atoi(argv[1]) : 0;
  if (count < 1 || count > COUNT_MAX) {
    fprintf(stderr, "start: start COUNT, at most %d\n", COUNT_MAX);
    return 1;
  }
  prepare();
  for (;;) turn();
}
