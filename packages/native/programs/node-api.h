/* The few declarations of Node-API that the modules for Node need. They are here because Node's headers are not on
 * every machine, and are part of Node's stable ABI. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

struct exported {
  const char *name;
  napi_callback function;
};

static napi_value first_argument(napi_env env, napi_callback_info info) {
  napi_value value = NULL;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &value, NULL, NULL);
  return value;
}

/* Returns `exports` with the functions; NULL if that failed. */
static napi_value export_all(napi_env env, napi_value exports, const struct exported *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function = NULL;
    if (napi_create_function(env, all[i].name, strlen(all[i].name), all[i].function, NULL, &function) != 0 ||
        napi_set_named_property(env, exports, all[i].name, function) != 0)
      return NULL;
  }
  return exports;
}
