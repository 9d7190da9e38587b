/* Creates a control group, sets its limits, enters it and becomes the program.
 *
 *   group DESCRIPTOR STEP... -- PROGRAM ARGUMENT...
 *
 * Steps are those of steps.h. Writes to the descriptor why the program was not started. A single-threaded process that
 * moves itself into a group moves at once. Moving another process waits until all processors have taken note, 10 ms and
 * more, and blocks every process that creates or removes a group meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include "programs.h"
#include "steps.h"

static int complaints = 2;

static _Noreturn void fail(const char *what) {
  dprintf(complaints, "sandbox: %s: %s\n", what, strerror(errno));
  exit(125);
}

int group_main(int argc, char **argv) {
  int at = 2, taken;
  if (argc > 1) complaints = atoi(argv[1]);
  while (at < argc && strcmp(argv[at], "--") != 0) {
    taken = take_step(argv + at, argc - at, "0");
    if (taken < 0) fail(argv[at + 1]);
    if (taken == 0) break;
    at += taken;
  }
  if (at + 1 >= argc || strcmp(argv[at], "--") != 0) {
    fprintf(stderr, "sandbox: group DESCRIPTOR STEP... -- PROGRAM ARGUMENT...\n");
    return 125;
  }
  execv(argv[at + 1], argv + at + 1);
  fail(argv[at + 1]);
}
