/* A module for Node. It decides whether the programs that this process starts from now on keep its capabilities: those
 * in the ambient set of the calling thread do. Node has no function for that.
 *
 *   pass(BOOLEAN)   whether children keep all capabilities of this thread, or none
 *   keepOpen(FD)    the descriptor stays open when this process executes another program
 *
 * The few declarations of Node-API that it needs are here, because Node's headers are not on every machine. They are
 * part of Node's stable ABI.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
int napi_set_named_property(napi_env, napi_value, const char *, napi_value);
int napi_get_cb_info(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
int napi_get_value_bool(napi_env, napi_value, bool *);
int napi_get_value_int32(napi_env, napi_value, int32_t *);
int napi_throw_error(napi_env, const char *, const char *);

enum { CAPABILITIES_MAX = 63 };

static napi_value argument(napi_env env, napi_callback_info info) {
  napi_value value = NULL;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &value, NULL, NULL);
  return value;
}

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
  if (napi_get_value_bool(env, argument(env, info), &passed) != 0) return NULL;
  int result = passed ? raise_all() : prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (result != 0) napi_throw_error(env, NULL, strerror(errno));
  return NULL;
}

static napi_value keep_open(napi_env env, napi_callback_info info) {
  int32_t fd = -1;
  if (napi_get_value_int32(env, argument(env, info), &fd) != 0) return NULL;
  if (fcntl(fd, F_SETFD, 0) != 0) napi_throw_error(env, NULL, strerror(errno));
  return NULL;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  static const struct { const char *name; napi_callback function; } all[] = {{"pass", pass}, {"keepOpen", keep_open}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    napi_value function = NULL;
    if (napi_create_function(env, all[i].name, strlen(all[i].name), all[i].function, NULL, &function) != 0 ||
        napi_set_named_property(env, exports, all[i].name, function) != 0)
      return NULL;
  }
  return exports;
}
