/* Steps for a control group, before a process is in it and to get it in:
 *
 *   make DIR           creates a directory
 *   set FILE TEXT      writes to a file
 *   try FILE TEXT      writes if the kernel has such a file and allows it
 *   enter FILE         adds a process to those that the file lists
 */
#include <sys/stat.h>
#include "write-to.h"

/* Executes one step and returns its number of words; 0: unknown step; -1 with errno. `who` enters, "0" for this
 * process. */
static int take_step(char **words, int count, const char *who) {
  const char *step = words[0];
  if (count >= 2 && strcmp(step, "make") == 0) return mkdir(words[1], 0777) == 0 ? 2 : -1;
  if (count >= 2 && strcmp(step, "enter") == 0) return write_to(words[1], who) == 0 ? 2 : -1;
  if (count >= 3 && strcmp(step, "set") == 0) return write_to(words[1], words[2]) == 0 ? 3 : -1;
  if (count < 3 || strcmp(step, "try") != 0) return 0;
  write_to(words[1], words[2]);
  return 3;
}
