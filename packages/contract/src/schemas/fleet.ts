// The fleet for operators: waiting organizations, running turns, workers.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, nullable, oneOf } from "./common.ts";

const most = limits.fleetRowsMax;

export const FleetRecord = Type.Object(
  {
    schedule: Type.Object(
      {
        ready: Type.Integer({ description: "Sessions that wait for a slot." }),
        dispatched: Type.Integer({ description: "Dispatched sessions, which no worker has claimed yet." }),
        leased: Type.Integer({ description: "Sessions whose turn runs." }),
        retry_wait: Type.Integer({ description: "Sessions whose next attempt is not due yet." }),
        blocked: Type.Integer({ description: "Sessions that wait for a build, a budget, operators or an input." }),
      },
      { description: "Sessions of all organizations, by their place in the schedule." },
    ),
    organizations: Type.Array(
      Type.Object({
        organization_id: idOutput("organization"),
        name: Type.String(),
        weight: Type.Integer(),
        max_concurrency: nullable(Type.Integer()),
        ready: Type.Integer({ description: `Turns that wait for a slot, counted up to ${most * 100}.` }),
        oldest_ready_ms: nullable(
          Type.Integer({ description: "How long the oldest of them has waited. Null: none waits." }),
        ),
        in_flight: Type.Integer({ description: "Dispatched and running turns." }),
      }),
      { description: `Organizations with waiting or running turns, the longest wait first; at most ${most}.` },
    ),
    turns: Type.Array(
      Type.Object({
        organization_id: idOutput("organization"),
        session_id: idOutput("session"),
        message_id: nullable(idOutput("message")),
        state: oneOf(["dispatched", "leased"]),
        worker_id: nullable(Type.String()),
        attempt: nullable(Type.Integer()),
        running_ms: nullable(Type.Integer({ description: "Time since the claim. Null: not claimed yet." })),
        lease_left_ms: Type.Integer({
          description: "Time until the lease expires. Negative: it has expired, and another worker can run the turn.",
        }),
      }),
      { description: `Dispatched and running turns, the earliest end of the lease first; at most ${most}.` },
    ),
    workers: Type.Array(
      Type.Object({
        id: idOutput("worker"),
        pool: Type.String(),
        slots: Type.Integer({ description: "Slots that it offers. Fewer while its memory is short." }),
        in_use: Type.Integer(),
        draining: Type.Boolean(),
        seen_ms_ago: Type.Integer(),
        sandbox: nullable(Type.String({ description: "Driver that isolates its agents." })),
        memory_available_bytes: nullable(Type.Integer({ description: "Free memory when the worker was last seen." })),
        memory_needed_bytes: nullable(Type.Integer({ description: "Free memory that one more turn requires." })),
      }),
      { description: `Workers, the most recently seen first; at most ${most}.` },
    ),
  },
  { title: "Fleet" },
);
export type FleetRecord = Static<typeof FleetRecord>;
