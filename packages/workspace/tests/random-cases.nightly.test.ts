// More cases of the suites of random trees.

import "./random-disks.test.ts";
import "./random-trees.test.ts";
