// Whether this machine can put memory into huge pages when a program asks for it.

import { existsSync } from "node:fs";
import { release } from "node:os";

/** True on Linux from 6.1 with transparent huge pages. */
export const hasHugePages = existsSync("/sys/kernel/mm/transparent_hugepage") && !/^([0-5]|6\.0)\./.test(release());
