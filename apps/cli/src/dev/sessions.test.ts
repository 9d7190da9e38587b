// Tests which sessions a run of `dari dev` leaves.

import { expect, test } from "@jest/globals";
import type { Client } from "@dari/client";
import { createDevSessions } from "./sessions.ts";

type LastMessage = readonly [id: string | null, status: string | null];

/** `last`: the last message of each session at each time it is read; its last value stays. Others: `msg_1`. */
function createPlatform(options: { readonly last?: Record<string, LastMessage[]>; readonly isDown?: boolean } = {}) {
  const deleted: string[] = [];
  const remembered: string[] = [];
  let number = 0;
  const timesOf = (id: string): LastMessage[] => options.last?.[id] ?? [["msg_1", "completed"]];
  const next = () => {
    const id = `sess_${++number}`;
    return Promise.resolve({ id, last_message_id: timesOf(id)[0]?.[0] ?? null });
  };
  const api = {
    createSession: next,
    forkSession: next,
    getSession(id: string) {
      const times = timesOf(id);
      const [last_message_id, last_message_status] = times.length > 1 ? times.shift()! : times[0]!;
      return Promise.resolve({ last_message_id, last_message_status });
    },
    deleteSession(id: string) {
      deleted.push(id);
      return options.isDown === true ? Promise.reject(new Error("down")) : Promise.resolve();
    },
  };
  const onMoved = async (id: string) => void remembered.push(id);
  const sessions = createDevSessions(api as unknown as Client, { signal: new AbortController().signal, onMoved });
  return { deleted, remembered, sessions };
}

test("a fork is remembered as the last session only if it has messages, because an empty one is deleted", async () => {
  const { deleted, remembered, sessions } = createPlatform({
    last: { sess_1: [[null, null]], sess_2: [[null, null]] },
  });
  const empty = await sessions.move(await sessions.begin("agt_1", "ver_1"), "ver_2");
  expect(remembered).toEqual([]);
  const talk = await sessions.move(empty, "ver_3");
  expect(remembered).toEqual([talk]);
  await sessions.end(talk);
  expect(deleted).toEqual(["sess_1", empty]);
});

test("of a conversation, the last session stays", async () => {
  const { deleted, sessions } = createPlatform({ last: { sess_1: [[null, null]] }, isDown: true });
  const first = await sessions.begin("agt_1", "ver_1");
  const second = await sessions.move(first, "ver_2");
  const third = await sessions.move(second, "ver_3");
  await sessions.end(third);
  expect(deleted).toEqual([first, second]);
});

test.each<[string, LastMessage[]]>([
  [
    "got a message after it was forked",
    [
      ["msg_1", "completed"],
      ["msg_2", "completed"],
    ],
  ],
  [
    "had a running message when it was forked",
    [
      ["msg_2", "running"],
      ["msg_2", "completed"],
    ],
  ],
  ["ended with a failed message", [["msg_2", "failed"]]],
])("a session stays that %s", async (_, times) => {
  const { deleted, sessions } = createPlatform({ last: { sess_1: times } });
  await sessions.end(await sessions.move(await sessions.begin("agt_1", "ver_1"), "ver_2"));
  expect(deleted).toEqual([]);
});

test("a session without a message goes as well", async () => {
  const { deleted, sessions } = createPlatform({ last: { sess_1: [[null, null]] } });
  const only = await sessions.begin("agt_1", "ver_1");
  await sessions.end(only);
  expect(deleted).toEqual([only]);
});

test("a person's fork stays, and so does the session that was forked", async () => {
  const { deleted, sessions } = createPlatform();
  await sessions.begin("agt_1", "ver_1");
  const moved = await sessions.move("sess_of_person", "ver_2");
  await sessions.end(moved);
  expect(deleted).toEqual([]);
});
