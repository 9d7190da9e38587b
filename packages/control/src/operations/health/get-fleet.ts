// What operators watch: what waits, what runs, and the workers. Cheap enough to call often.

import type { FleetRecord } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { fleet, health } from "@dari/db";
import { limits } from "@dari/domain";

const most = limits.fleetRowsMax;

export async function getFleet({ db }: Control): Promise<FleetRecord> {
  const schedule = await health.countSessionsBySchedule(db);
  const organizations = await fleet.listBusyOrganizations(db, { most, countMax: most * 100 });
  const turns = await fleet.listTurnsInFlight(db, most);
  const workers = await fleet.listBusyWorkers(db, most);
  return {
    schedule,
    organizations: organizations.map((row) => ({
      organization_id: row.organizationId,
      name: row.name,
      weight: row.weight,
      max_concurrency: row.maxConcurrency,
      ready: row.ready,
      oldest_ready_ms: rounded(row.oldestReadyMs),
      in_flight: row.inFlight,
    })),
    turns: turns.map((row) => ({
      organization_id: row.organizationId,
      session_id: row.sessionId,
      message_id: row.messageId,
      // The query selects only these two.
      state: row.state as "dispatched" | "leased",
      worker_id: row.workerId,
      attempt: row.attempt,
      running_ms: rounded(row.runningMs),
      lease_left_ms: Math.round(row.leaseLeftMs),
    })),
    workers: workers.map(({ id, pool, slots, inUse, draining, seenMsAgo, details }) => ({
      ...{ id, pool, slots, draining, in_use: inUse, seen_ms_ago: Math.round(seenMsAgo) },
      sandbox: details.sandbox,
      memory_available_bytes: Math.round(details.memory.availableBytes),
      memory_needed_bytes: Math.round(details.memory.neededBytes),
    })),
  };
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
