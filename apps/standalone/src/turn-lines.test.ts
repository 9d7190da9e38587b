// Tests the lines that `npm start` shows for turns.

import { expect, test } from "@jest/globals";
import { sayTurns, type TurnIds, type TurnNames } from "./turn-lines.ts";

const turn = { org: "org_1", agent: "agt_1", session: "sess_1", message: "msg_1" };

async function linesOf(events: readonly (readonly [string, object])[], readNames?: () => Promise<TurnNames>) {
  const lines: string[] = [];
  const asked: TurnIds[] = [];
  const read = readNames ?? (() => Promise.resolve({ agent: "notes", number: 3 }));
  const observe = sayTurns(
    (line) => lines.push(line.replace(/^\d\d:\d\d:\d\d /, "")),
    (ids) => (asked.push(ids), read()),
  );
  for (const [event, fields] of events) observe({ ...turn, ...fields }, event);
  await new Promise(setImmediate);
  return { lines, asked };
}

test("each turn has a line, with the time from its claim", async () => {
  const { lines, asked } = await linesOf([
    ["turn.finished", { recorded: "completed", queue_ms: 60_000, restore_ms: 200, agent_ms: 1_000, commit_ms: 30 }],
    ["turn.finished", { recorded: "failed", code: "agent_error", agent_ms: 400 }],
    ["turn.finished", { recorded: "retry", code: "agent_exit", agent_ms: 0 }],
    ["turn.finished", { recorded: "suspended", agent_ms: 49 }],
    ["turn.finished", { recorded: "superseded" }],
    ["request", { ms: 1 }],
  ]);
  expect(lines).toEqual([
    " notes  sess_1  turn 3  completed  1.2 s",
    " notes  sess_1  turn 3  failed (agent_error)  0.4 s",
    " notes  sess_1  turn 3  failed (agent_exit), will be retried  0.0 s",
    " notes  sess_1  turn 3  waits for an answer  0.0 s",
  ]);
  expect(asked[0]).toEqual({ org: "org_1", agent: "agt_1", message: "msg_1" });
});

test("a turn whose agent is gone has the agent's id", async () => {
  const gone = () => Promise.reject(new Error("not found"));
  const { lines } = await linesOf([["turn.finished", { recorded: "cancelled", agent_ms: 5 }]], gone);
  expect(lines).toEqual([" agt_1  sess_1  turn ?  cancelled  0.0 s"]);
});

test("a name cannot control the terminal", async () => {
  const names = () => Promise.resolve({ agent: "no\u009b31mtes\u001b[0m", number: 3 });
  const { lines } = await linesOf([["turn.finished", { recorded: "completed", agent_ms: 0 }]], names);
  expect(lines).toEqual([" no31mtes[0m  sess_1  turn 3  completed  0.0 s"]);
});
