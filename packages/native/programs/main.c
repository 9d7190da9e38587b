/* dari-native NAME [ARGUMENT...] runs one of the programs of programs.h. They share one file because most of a small
 * static program is the C library. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include "programs.h"

/* `title`: the process name for ps and top, at most 15 characters. */
static const struct { const char *name, *title; int (*run)(int, char **); } programs[] = {
    {"confine", "dari-confine", confine_main},
    {"container", "dari-container", container_main},
    {"enter", "dari-enter", enter_main},
    {"group", "dari-group", group_main},
    {"mount", "dari-mount", mount_main},
    {"namespace", "dari-namespace", namespace_main},
    {"own", "dari-own", own_main},
    {"relay", "dari-relay", relay_main},
    {"share", "dari-share", share_main},
    {"start", "dari-start", start_main},
    {"template", "dari-template", template_main},
};

int main(int argc, char **argv) {
  for (size_t i = 0; argc > 1 && i < sizeof programs / sizeof *programs; i++) {
    if (strcmp(argv[1], programs[i].name) != 0) continue;
    prctl(PR_SET_NAME, programs[i].title, 0, 0, 0);
    return programs[i].run(argc - 1, argv + 1);
  }
  fprintf(stderr, "usage: dari-native NAME [ARGUMENT...]; the names are:");
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) fprintf(stderr, " %s", programs[i].name);
  fprintf(stderr, "\n");
  return 125;
}
