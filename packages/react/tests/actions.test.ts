// What a page can do with a session before the session's events show it.

import { expect, test } from "@jest/globals";
import type { Message } from "@dari/client";
import { createActions } from "../src/actions.ts";
import type { ConversationState } from "../src/conversation-store.ts";

/** The actions of a session whose replies and events come when the test says so. */
function openSession() {
  const cancelled: string[] = [];
  const replies: ReturnType<typeof Promise.withResolvers<Message>>[] = [];
  const shown = new Map<string, () => void>();
  const open: string[] = [];
  const unused = () => Promise.reject(new Error("unused"));
  const client = {
    uploadFile: unused,
    answerInput: unused,
    sendMessageAsync() {
      const reply = Promise.withResolvers<Message>();
      replies.push(reply);
      return reply.promise;
    },
    cancelMessage(id: string) {
      cancelled.push(id);
      return Promise.resolve({ id } as Message);
    },
  };
  const conversation = {
    getState: () => ({ messages: open.map((id) => ({ id, status: "running" })) }) as unknown as ConversationState,
    waitForMessage: (id: string) => new Promise<void>((resolve) => shown.set(id, resolve)),
  };
  return { cancelled, replies, shown, open, ...createActions(client, "sess_1", conversation) };
}

const accepted = (id: string) => ({ id }) as Message;
/** Resolves when what has begun waits for a reply. */
const settle = () => new Promise(setImmediate);

test("cancel stops a message that the platform has not accepted yet, the oldest one first", async () => {
  const { send, cancel, replies, cancelled } = openSession();
  const sends = [send("one"), send("two")];
  const cancelling = cancel();
  await settle();
  replies[1]!.resolve(accepted("msg_2"));
  await sends[1];
  expect(cancelled).toEqual([]);
  replies[0]!.resolve(accepted("msg_1"));
  expect([await cancelling, cancelled]).toEqual([{ id: "msg_1" }, ["msg_1"]]);
});

test("cancel stops a message that was accepted and is not shown yet, and none that was shown and ended", async () => {
  const { send, cancel, replies, shown, cancelled } = openSession();
  const sent = send("one");
  await settle();
  replies[0]!.resolve(accepted("msg_1"));
  await sent;
  await cancel();
  expect(cancelled).toEqual(["msg_1"]);
  shown.get("msg_1")!();
  await settle();
  expect([await cancel(), cancelled]).toEqual([undefined, ["msg_1"]]);
});

test("cancel prefers a message that is shown, and passes over a message that was refused", async () => {
  const { send, cancel, replies, open, cancelled } = openSession();
  const [refused] = [send("one"), send("two")];
  await settle();
  open.push("msg_0");
  await cancel();
  expect(cancelled).toEqual(["msg_0"]);
  open.pop();
  const cancelling = cancel();
  replies[0]!.reject(new Error("refused"));
  replies[1]!.resolve(accepted("msg_2"));
  await expect(refused).rejects.toThrow("refused");
  expect(await cancelling).toEqual({ id: "msg_2" });
});
