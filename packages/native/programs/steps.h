/* What is done for a control group, before a process is in it and to get it in:
 *
 *   make DIR           makes a directory
 *   set FILE TEXT      writes to a file
 *   try FILE TEXT      writes where the kernel has such a file and allows it
 *   enter FILE         a process becomes one of those that the file lists
 */
#include <sys/stat.h>
#include "write-to.h"

/* Carries out one step and returns how many words it has; 0: there is no such step; -1 with errno. `who` enters, "0"
 * for this process. */
static int take_step(char **words, int count, const char *who) {
  const char *step = words[0];
  if (count >= 2 && strcmp(step, "make") == 0) return mkdir(words[1], 0777) == 0 ? 2 : -1;
  if (count >= 2 && strcmp(step, "enter") == 0) return write_to(words[1], who) == 0 ? 2 : -1;
  if (count >= 3 && strcmp(step, "set") == 0) return write_to(words[1], words[2]) == 0 ? 3 : -1;
  if (count < 3 || strcmp(step, "try") != 0) return 0;
  write_to(words[1], words[2]);
  return 3;
}
