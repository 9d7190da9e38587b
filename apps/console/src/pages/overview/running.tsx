// The turns that run now, each with a link to its live conversation.

import type { OverviewRecord } from "@dari/contract";
import { countText } from "../../data/format.ts";
import { Items } from "./items.tsx";

export function Running({ overview: { running, now, inputs } }: { readonly overview: OverviewRecord }) {
  // Messages that wait for an answer are listed elsewhere.
  const waiting = Math.max(0, now.open_messages - now.turns - inputs.count);
  return (
    <div className="column">
      <h2>Now</h2>
      {now.turns === 0 && <p className="faint">No turn runs.</p>}
      <Items
        title="Running turns"
        count={now.turns}
        countMax={Infinity}
        items={running.map((row) => ({
          ...{ key: row.session_id, to: `/sessions/${row.session_id}`, place: row, since: row.started_at },
          about: sayState(row),
        }))}
      />
      {waiting > 0 && (
        <p className="faint">
          {countText(waiting)} {waiting === 1 ? "message waits" : "messages wait"}.
        </p>
      )}
    </div>
  );
}

function sayState({ state, attempt }: OverviewRecord["running"][number]): string {
  if (state === "dispatched") return "waits for a worker";
  return attempt !== null && attempt > 1 ? `runs, attempt ${attempt}` : "runs";
}
