# Prints how much memory of a large heap is in huge pages, in KiB, in a child that is forked after the call.

import os
import sys

sys.path.insert(0, sys.argv[1])

from _dari_harness.huge_pages import collapse_memory  # noqa: E402

kept = [{str(number): number} for number in range(200_000)]
collapse_memory()
if os.fork() == 0:
    with open("/proc/self/smaps_rollup") as rollup:
        print(next(line.split()[1] for line in rollup if line.startswith("AnonHugePages:")), flush=True)
    os._exit(len(kept) - 200_000)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
