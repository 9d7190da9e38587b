// The fleet as operators watch it: who waits, what runs, who works.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, nullable, oneOf } from "./common.ts";

const most = limits.fleetRowsMax;

export const FleetRecord = Type.Object(
  {
    schedule: Type.Object(
      {
        ready: Type.Integer({ description: "That wait for a slot." }),
        dispatched: Type.Integer({ description: "On their way to a worker." }),
        leased: Type.Integer({ description: "That run." }),
        retry_wait: Type.Integer({ description: "Whose next attempt is not due yet." }),
        blocked: Type.Integer({ description: "That wait for a build, a budget, operators or an input." }),
      },
      { description: "Sessions of every organization, by their place in the schedule." },
    ),
    organizations: Type.Array(
      Type.Object({
        organization_id: idOutput("organization"),
        name: Type.String(),
        weight: Type.Integer(),
        max_concurrency: nullable(Type.Integer()),
        ready: Type.Integer({ description: `Turns that wait for a slot, counted no further than ${most * 100}.` }),
        oldest_ready_ms: nullable(Type.Integer({ description: "How long the first of them has waited." })),
        in_flight: Type.Integer({ description: "Turns that hold a slot or are on their way to one." }),
      }),
      { description: `That wait or run, the one that waits longest first; at most ${most}.` },
    ),
    turns: Type.Array(
      Type.Object({
        organization_id: idOutput("organization"),
        session_id: idOutput("session"),
        message_id: nullable(idOutput("message")),
        state: oneOf(["dispatched", "leased"]),
        worker_id: nullable(Type.String()),
        attempt: nullable(Type.Integer()),
        running_ms: nullable(Type.Integer({ description: "Since its claim; null: it is not claimed yet." })),
        lease_left_ms: Type.Integer({ description: "Negative: it has run out, and the turn is taken back." }),
      }),
      { description: `On their way or running, the lease that ends first first; at most ${most}.` },
    ),
    workers: Type.Array(
      Type.Object({
        id: idOutput("worker"),
        pool: Type.String(),
        slots: Type.Integer({ description: "That it offers; fewer while its memory is short." }),
        in_use: Type.Integer(),
        draining: Type.Boolean(),
        seen_ms_ago: Type.Integer(),
        sandbox: nullable(Type.String({ description: "The driver that isolates its agents." })),
        memory_available_bytes: nullable(Type.Integer({ description: "When it was seen." })),
        memory_needed_bytes: nullable(Type.Integer({ description: "That must be free for one more turn." })),
      }),
      { description: `At most ${most}, the one seen last first.` },
    ),
  },
  { title: "Fleet" },
);
export type FleetRecord = Static<typeof FleetRecord>;
