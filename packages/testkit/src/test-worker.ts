// A worker's row, for tests of what reads it.

import { type WorkerPresence } from "@dari/db";
import { newId, release, type WorkerReport } from "@dari/domain";

const limits = { memory: "per_sandbox", processes: "per_sandbox", cpu: "per_sandbox" };

/** Returns a worker of this release with four slots on a machine that lacks nothing, except as given. */
export function testWorker(
  given: Partial<Omit<WorkerPresence, "details">> = {},
  report: Partial<WorkerReport> = {},
): WorkerPresence {
  const { slots = 4 } = given;
  const details: WorkerReport = {
    pid: 1,
    sandbox: "bwrap",
    guarantees: { isolated: true, limits, notes: [] },
    missing: [],
    minimumIsolation: "isolated",
    memory: { availableBytes: 1e9, neededBytes: 1e6 },
    startsMax: slots,
    organizationMax: null,
    clockMs: Date.now(),
    disk: { freeBytes: 5e9 },
    ...report,
  };
  return { id: newId("worker"), release, pool: "default", slots, draining: false, ...given, details };
}
