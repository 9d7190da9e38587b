/* Gives directories and their contents to a user.
 *
 *   own USER DIR...
 *
 * Walks by descriptors and follows no link, so a process that changes the directories meanwhile cannot lead it
 * elsewhere. A file of ours with other names stays ours, because one of the names may be in a cache.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "programs.h"

enum { DEPTH_MAX = 4096 };

/* Opens `name` and gives away that file, whatever has the name by then. */
static int give_one(int parent, const char *name, uid_t user, struct stat *found) {
  int error = 0, fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  if (fstat(fd, found) != 0) error = errno;
  else if (!S_ISDIR(found->st_mode) && found->st_nlink > 1 && found->st_uid == geteuid()) error = 0;
  else if (found->st_uid == user && found->st_gid == user) error = 0;
  else if (fchownat(fd, "", user, user, AT_EMPTY_PATH) != 0) error = errno;
  close(fd);
  return error;
}

static int give(int parent, const char *name, uid_t user, int depth) {
  struct stat found;
  struct dirent *entry;
  DIR *listing;
  int fd, error;
  if (depth > DEPTH_MAX) return ELOOP;
  error = give_one(parent, name, user, &found);
  if (error != 0) return error == ENOENT ? 0 : error;
  if (!S_ISDIR(found.st_mode)) return 0;
  fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ELOOP || errno == ENOTDIR || errno == ENOENT ? 0 : errno;
  listing = fdopendir(fd);
  if (listing == NULL) {
    error = errno;
    close(fd);
    return error;
  }
  while (error == 0 && (entry = readdir(listing)) != NULL)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      error = give(fd, entry->d_name, user, depth + 1);
  closedir(listing);
  return error;
}

int own_main(int argc, char **argv) {
  uid_t user = argc > 2 ? (uid_t)strtoul(argv[1], NULL, 10) : 0;
  struct rlimit files;
  int i;
  if (user == 0) {
    fprintf(stderr, "sandbox: own USER DIR...\n");
    return 2;
  }
  /* One descriptor per level. */
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  for (i = 2; i < argc; i++) {
    int error = give(AT_FDCWD, argv[i], user, 0);
    if (error == 0) continue;
    fprintf(stderr, "%s: %s\n", argv[i], strerror(error));
    return 1;
  }
  return 0;
}
