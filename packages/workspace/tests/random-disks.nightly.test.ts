// More cases of random-disks.test.ts.

import "./random-disks.test.ts";
