// Turns that are watched while they run: streamed text and logs, with previews from the queue and from the database.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { buffer } from "node:stream/consumers";
import { isLedgerEvent } from "@dari/client";
import type { StreamedEvent } from "@dari/contract";
import { findService, waitUntil } from "@dari/testkit";
import { describeFaults } from "@dari/testkit/events";
import { deploy, manifestFile, textPart, type Published } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";

/** Sends half of its answer, calls the address in its prompt, and sends the rest. */
const talker = {
  ...manifestFile({ entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `export async function* agent(prompt, context) {
    console.log("printed");
    yield "first ";
    await context.emit("half", { done: 0.5 });
    await context.tool("meet", { prompt }, async () => (await fetch(prompt)).text());
    const picture = { type: "image", data: "iVBORw0KGgo=", mimeType: "image/png" };
    await context.tool("draw", { text: "x".repeat(20_000) }, () => [picture]);
    yield "second";
  }`,
};

describe.each([
  { way: "with a queue", redisUrl: () => findService("redis")?.url },
  { way: "by direct pull", redisUrl: () => undefined },
])("$way", ({ redisUrl }) => {
  let fleet: Fleet;
  let meeting: Rendezvous;
  let agent: Published;

  beforeAll(async () => {
    meeting = await openRendezvous();
    fleet = await startFleet({ redisUrl: redisUrl() });
    agent = await deploy(fleet, talker);
  }, 120_000);

  afterAll(async () => {
    await meeting[Symbol.asyncDispose]();
    expect(await fleet.close()).toEqual(noRemains);
  }, 120_000);

  test("the first half is seen while the agent waits, and the stream ends with the record", async () => {
    const session = await fleet.client.createSession(agent.agentId);
    const sent = await fleet.client.sendMessageAsync(session.id, { parts: [textPart(meeting.urlOf("half"))] });
    const seen: StreamedEvent[] = [];
    const watching = (async () => {
      for await (const event of fleet.client.streamMessage(sent.id)) seen.push(event);
    })();
    await meeting.arrived("half");
    const shownText = (): string =>
      seen.map((event) => (event.type === "assistant.text_delta" ? event.data.text : "")).join("");
    await waitUntil(() => shownText() === "first ", { what: "the first half of the answer" });
    await waitUntil(() => seen.some((event) => event.type === "agent.event"), { what: "the agent's event" });
    await waitUntil(() => seen.some((event) => event.type === "tool.call_requested"), { what: "the call of its tool" });
    expect(seen.some((event) => event.type === "tool.call_completed")).toBe(false);
    await waitUntil(() => seen.some((event) => event.type === "log"), { what: "what it printed" });
    meeting.open("half");
    await watching;
    expect(shownText()).toBe("first second");
    const ledger = (await fleet.client.listEvents(session.id)).data.filter((event) => event.message_id === sent.id);
    expect(seen.filter(isLedgerEvent)).toEqual(ledger);
    expect(seen.flatMap(describeFaults)).toEqual([]);
    expect(seen.at(-1)).toMatchObject({ type: "message.completed", data: { status: "completed" } });
    const { data: entries } = await fleet.client.getTranscript(session.id);
    const told = entries.map((entry) => (entry.kind === "event" ? entry.type : entry.kind));
    const call = ["tool.call_requested", "tool.call_completed"];
    expect(told).toEqual(["user", "agent.event", ...call, ...call, "assistant"]);
    const drawn = ledger.find((event) => event.type === "tool.call_completed" && event.data.name === "draw");
    const { call_id } = drawn?.data as { call_id: string };
    const { arguments: given, result } = await fleet.client.getToolCall(sent.id, call_id);
    expect(given).toMatchObject({ value: { text: "x".repeat(20_000) }, is_cut: false });
    const [picture] = result?.value as [{ value_id: string }];
    expect(picture).toMatchObject({ type: "image", media_type: "image/png", size_bytes: 8 });
    const bytes = await buffer(await fleet.client.getMessageValue(sent.id, picture.value_id));
    expect(bytes.toString("hex")).toBe("89504e470d0a1a0a");
  });
});
