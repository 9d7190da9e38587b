// Tests which sessions a run of `dari dev` leaves.

import { expect, test } from "@jest/globals";
import type { Client } from "@dari/client";
import { createDevSessions } from "./sessions.ts";

function createPlatform(options: { readonly lastMessage?: string | null; readonly isDown?: boolean } = {}) {
  const deleted: string[] = [];
  let number = 0;
  const next = () => Promise.resolve({ id: `sess_${++number}` });
  const api = {
    createSession: next,
    forkSession: next,
    getSession: () => Promise.resolve({ last_message_id: options.lastMessage ?? null }),
    deleteSession(id: string) {
      deleted.push(id);
      return options.isDown === true ? Promise.reject(new Error("down")) : Promise.resolve();
    },
  };
  return { deleted, sessions: createDevSessions(api as unknown as Client, new AbortController().signal) };
}

test("of a conversation, the last session stays", async () => {
  const { deleted, sessions } = createPlatform({ lastMessage: "msg_1", isDown: true });
  const first = await sessions.begin("agt_1", "ver_1");
  const second = await sessions.move(first, "ver_2");
  const third = await sessions.move(second, "ver_3");
  await sessions.end(third);
  expect(deleted).toEqual([first, second]);
});

test("a session without a message goes as well", async () => {
  const { deleted, sessions } = createPlatform();
  const only = await sessions.begin("agt_1", "ver_1");
  await sessions.end(only);
  expect(deleted).toEqual([only]);
});

test("a person's fork stays, and so does the session that was forked", async () => {
  const { deleted, sessions } = createPlatform({ lastMessage: "msg_1" });
  await sessions.begin("agt_1", "ver_1");
  const moved = await sessions.move("sess_of_person", "ver_2");
  await sessions.end(moved);
  expect(deleted).toEqual([]);
});
