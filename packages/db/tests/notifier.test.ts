// Notifications through PostgreSQL: those of one pass of the event loop are one statement.

import { expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { createTestDatabase, waitUntil } from "@dari/testkit";
import { createPgNotifier, createPgPreviews } from "../src/index.ts";

test("a thousand concurrent ids are one statement, and each is heard once", async () => {
  await using stack = new AsyncDisposableStack();
  const { db } = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const notifier = stack.adopt(createPgNotifier(db, "dari-test-notifier"), (opened) => opened.close());
  const heard: string[] = [];
  notifier.subscribe("session", undefined, (id) => heard.push(id));
  await waitUntil(
    () => {
      notifier.notify("session", "hello");
      return heard.length > 0;
    },
    { what: "the listener" },
  );
  const ids = Array.from({ length: 1_000 }, () => newId("session"));
  // The last statement has ended, and its connection is back in the pool.
  await db.pool.query("select 1");
  await waitUntil(() => db.pool.idleCount === db.pool.totalCount && db.pool.waitingCount === 0, { what: "a rest" });
  // Every statement takes an existing or new connection from the pool.
  let statements = 0;
  const count = (): void => void (statements += 1);
  db.pool.on("acquire", count);
  for (const id of [...ids, ...ids]) notifier.notify("session", id);
  await waitUntil(() => heard.includes(ids.at(-1) ?? ""), { what: "the last one" });
  db.pool.off("acquire", count);
  expect(statements).toBe(1);
  expect(heard.filter((id) => id !== "hello")).toEqual(ids);
});

test("a notification just before the end is sent", async () => {
  await using stack = new AsyncDisposableStack();
  const { db } = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const listening = stack.adopt(createPgNotifier(db, "dari-test-listener"), (opened) => opened.close());
  const heard: string[] = [];
  listening.subscribe("build", undefined, (id) => heard.push(id));
  await waitUntil(
    () => {
      listening.notify("build", "hello");
      return heard.length > 0;
    },
    { what: "the listener" },
  );
  const saying = createPgNotifier(db, "dari-test-speaker");
  saying.notify("build", "last");
  await saying.close();
  await waitUntil(() => heard.includes("last"), { what: "the last word" });
});

test("previews of a session arrive in their order", async () => {
  await using stack = new AsyncDisposableStack();
  const { db } = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const previews = stack.adopt(createPgPreviews(db, "dari-test-previews"), (opened) => opened.close());
  const heard: unknown[] = [];
  const heardElsewhere: unknown[] = [];
  previews.follow("sess_1", ({ data }) => heard.push(data["text"]));
  previews.follow("sess_2", ({ data }) => heardElsewhere.push(data["text"]));
  const send = (text: string): void => {
    previews.send("sess_1", { type: "reasoning.delta", messageId: "msg_1", attemptId: "att_1", data: { text } });
    previews.send("sess_2", { type: "reasoning.delta", messageId: "msg_2", attemptId: "att_2", data: { text } });
  };
  await waitUntil(
    () => {
      send("hello");
      return heard.length > 0;
    },
    { what: "the listener" },
  );
  for (let round = 0; round < 20; round += 1) {
    const texts = Array.from({ length: 40 }, (_, number) => `${round} ${number}`);
    for (const text of texts) send(text);
    // Both sessions: previews that exceed the number being sent are dropped.
    const last = texts.at(-1);
    await waitUntil(() => heard.includes(last) && heardElsewhere.includes(last), { what: "the last one" });
    expect(heard.slice(-texts.length)).toEqual(texts);
  }
});
