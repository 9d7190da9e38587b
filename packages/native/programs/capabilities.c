/* A module for Node. It decides whether the programs that this process starts from now on keep its capabilities: those
 * in the ambient set of the calling thread do. Node has no function for that.
 *
 *   pass(BOOLEAN)   whether children keep all capabilities of this thread, or none
 *   keepOpen(FD)    the descriptor stays open when this process executes another program
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>
#include "node-api.h"

enum { CAPABILITIES_MAX = 63 };

static int raise_all(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &header, sets) != 0) return -1;
  for (int i = 0; i < 2; i++) sets[i].inheritable = sets[i].permitted;
  if (syscall(SYS_capset, &header, sets) != 0) return -1;
  for (int one = 0; one <= CAPABILITIES_MAX; one++)
    if ((sets[one / 32].permitted & 1U << one % 32) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, one, 0, 0) != 0)
      return -1;
  return 0;
}

static napi_value pass(napi_env env, napi_callback_info info) {
  bool passed = false;
  if (napi_get_value_bool(env, first_argument(env, info), &passed) != 0) return NULL;
  int result = passed ? raise_all() : prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (result != 0) napi_throw_error(env, NULL, strerror(errno));
  return NULL;
}

static napi_value keep_open(napi_env env, napi_callback_info info) {
  int32_t fd = -1;
  if (napi_get_value_int32(env, first_argument(env, info), &fd) != 0) return NULL;
  if (fcntl(fd, F_SETFD, 0) != 0) napi_throw_error(env, NULL, strerror(errno));
  return NULL;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  static const struct exported all[] = {{"pass", pass}, {"keepOpen", keep_open}};
  return export_all(env, exports, all, sizeof all / sizeof *all);
}
