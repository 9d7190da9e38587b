// Messages that steer a running turn, in every runtime of this machine.

import { describe, expect, test } from "@jest/globals";
import type { ReportFrame, SteeringMessage, TurnEnding, TurnInbox } from "../src/index.ts";
import { runtimesOfThisRun, play } from "./guest-fixture.ts";

describe.each(runtimesOfThisRun())("$title", (runtime) => {
  const file = runtime.language === "python" ? "inbox_agents.py" : "inbox-agents.mjs";

  test("messages are taken once, and nothing is asked while none wait", async () => {
    const inbox = createInbox();
    const { ending } = await play(runtime, "takesMessages", {
      file,
      inbox,
      onFrame: (frame) => void (isEvent(frame, "ready") && inbox.put("a", "b")),
    });
    const [a, b] = ["a", "b"].map((text) => ({ id: `msg_${text}`, text, parts: [{ type: "text", text }] }));
    expect(answerOf(ending)).toEqual({
      before: [false, []],
      isWaiting: true,
      taken: [[a, b], []],
      after: [false, []],
    });
    expect(inbox.takes).toBe(1);
  });

  test("an iteration gets each message as it comes, and leaves what it does not reach", async () => {
    const inbox = createInbox();
    const { ending } = await play(runtime, "iteratesInbox", {
      file,
      inbox,
      onFrame(frame) {
        if (isEvent(frame, "ready")) inbox.put("first");
        if (isEvent(frame, "got")) inbox.put("break", "rest");
      },
    });
    expect(answerOf(ending)).toEqual(["first", "break", "rest"]);
    expect(inbox.takes).toBe(2);
  });

  test.each(["leavesMessages", "leavesMessagesAndAsks", "leavesMessagesAndFails"])(
    "what an iteration has not returned at the end counts as not delivered: %s",
    async (agent) => {
      const inbox = createInbox();
      const { ending } = await play(runtime, agent, {
        file,
        inbox,
        onFrame: (frame) => void (isEvent(frame, "ready") && inbox.put("first", "second")),
      });
      expect(ending).toMatchObject({ delivered: 1 });
    },
  );

  test("what reaches the guest while its agent ends counts as not delivered", async () => {
    const inbox = createInbox();
    const { ending } = await play(runtime, "endsWhileItAsks", {
      file,
      inbox,
      onFrame(frame) {
        if (isEvent(frame, "ready")) inbox.put("first");
        if (isEvent(frame, "got")) inbox.put("second", "third");
      },
    });
    expect(answerOf(ending)).toEqual(["first"]);
    expect(ending).toMatchObject({ delivered: 1 });
  });

  test("what earlier runs of the turn took comes first, and does not count as delivered", async () => {
    const inbox = createInbox();
    const { ending } = await play(runtime, "iteratesInbox", {
      file,
      inbox,
      earlierMessages: [messageOf("a"), messageOf("b")],
      onFrame(frame) {
        if (frame.t === "event" && frame.data === "b") inbox.put("break", "rest");
      },
    });
    expect(answerOf(ending)).toEqual(["a", "b", "break", "rest"]);
    expect(ending).toMatchObject({ delivered: 2 });
  });

  test("an iteration ends when the turn is stopped, and the agent can clean up", async () => {
    const controller = new AbortController();
    const { ending } = await play(runtime, "iteratesForever", {
      file,
      inbox: createInbox(),
      signal: controller.signal,
      onFrame: () => controller.abort(),
    });
    expect(ending).toEqual({ kind: "cancelled", usage: { ended: 1 } });
  });
});

/** Returns an inbox to which the test adds messages. */
function createInbox(): TurnInbox & { put(...texts: string[]): void; readonly takes: number } {
  let waiting: SteeringMessage[] = [];
  let onWaiting: (() => void) | undefined;
  let takes = 0;
  return {
    put(...texts) {
      waiting.push(...texts.map(messageOf));
      onWaiting?.();
    },
    get takes() {
      return takes;
    },
    watch(listener) {
      onWaiting = listener;
      return () => (onWaiting = undefined);
    },
    take() {
      takes += 1;
      const taken = waiting;
      waiting = [];
      return Promise.resolve(taken);
    },
  };
}

function messageOf(text: string): SteeringMessage {
  return { id: `msg_${text}`, parts: [{ type: "text", text }] };
}

function isEvent(frame: ReportFrame, name: string): boolean {
  return frame.t === "event" && frame.name === name;
}

function answerOf(ending: TurnEnding): unknown {
  if (ending.kind !== "completed" || ending.parts[0]?.type !== "text") throw new Error(JSON.stringify(ending));
  return JSON.parse(ending.parts[0].text);
}
