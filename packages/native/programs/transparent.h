/* Lets programs connect without a proxy, in a network namespace that has only a loopback device. */

/* A list of ports contains a word that begins so if this is wanted: `transparent[/ADDRESS...]`. */
#define TRANSPARENT "transparent"

enum { TRANSPARENT_PORT = 3129, NAME_PORT = 53 };

/* Writes to `fd` that this network could not be set up because of errno. Its programs have only the proxy then. */
void say_proxy_only(int fd);

/* Returns whether a word is no port. */
int is_transparent(const char *word);

/* Sets up this network namespace, whose loopback device must be up. ADDRESS: connections to it are led here as well.
 * Returns 0 and two sockets, of which the first listens on TRANSPARENT_PORT for connections, and the second gets the
 * queries for names at NAME_PORT; or -1 with errno. Needs CAP_NET_ADMIN and CAP_NET_BIND_SERVICE over the namespace.
 * Changes `word`. */
int open_transparent(char *word, int sockets[2]);
