// The trace of a turn from the API to the agent, as a collector receives it.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { traceIdsFor } from "@dari/control/operations";
import { waitUntil } from "@dari/testkit";
import { activityOf, dataOf } from "../src/activity.ts";
import { deploy, manifestFile, send } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { playScript, resultsOf, scriptAgent } from "../src/script.ts";

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
  /** The name of the program that sent the span. */
  readonly service: string;
}

interface Received {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span["attributes"] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

const spans: Span[] = [];
const paths = new Set<string>();
const keys = new Set<string | undefined>();
let collector: Server;
let fleet: Fleet;
let agentId: string;

beforeAll(async () => {
  collector = createServer((request, response) => {
    paths.add(request.url ?? "");
    keys.add(request.headers["x-key"] as string | undefined);
    void json(request).then((body) => {
      for (const { resource, scopeSpans } of (body as Received).resourceSpans) {
        const service = valueOf(resource, "service.name") ?? "";
        for (const scope of scopeSpans) spans.push(...scope.spans.map((span) => ({ ...span, service })));
      }
      response.setHeader("Content-Type", "application/json").end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  const { port } = collector.address() as AddressInfo;
  fleet = await startFleet({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_HEADERS: "x-key=key%20of%20the%20collector",
    },
  });
  ({ agentId } = await deploy(fleet, scriptAgent({ max_attempts: 2 })));
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  collector.close();
}, 120_000);

function valueOf(of: { readonly attributes: Span["attributes"] }, key: string): string | undefined {
  return of.attributes.find((attribute) => attribute.key === key)?.value.stringValue;
}

async function spansOf(messageId: string, turns: number): Promise<Span[]> {
  const { traceId } = traceIdsFor(messageId);
  return waitUntil(
    () => {
      const found = spans.filter((span) => span.traceId === traceId);
      const isWhole = found.some(({ name }) => name === "accept message");
      return isWhole && found.filter(({ name }) => name === "turn").length === turns && found;
    },
    { what: `the spans of ${messageId}`, timeoutMs: 20_000 },
  );
}

test("a message is one trace from its acceptance to its commit, with the agent's run in it", async () => {
  const { id: session } = await fleet.client.createSession(agentId);
  const record = await playScript(fleet, session, [["write", "secret.txt", "what the user said"], ["context"]]);
  const found = await spansOf(record.id, 1);
  const one = (name: string): Span => {
    const [span, ...others] = found.filter((candidate) => candidate.name === name);
    expect(others).toEqual([]);
    return span!;
  };
  const run = found.map(({ name }) => name).find((name) => /^invoke_agent lab-/.test(name)) ?? "invoke_agent";
  const [root, turn, agent] = [one("accept message"), one("turn"), one(run)];
  expect(root).toMatchObject({ spanId: traceIdsFor(record.id).spanId, service: "dari-api" });
  expect(turn).toMatchObject({ parentSpanId: root.spanId, service: "dari-worker" });
  const phases = ["queue", "image", "restore", "start", run, "kill", "save", "commit"];
  for (const name of phases) expect(one(name).parentSpanId).toBe(turn.spanId);
  expect(found).toHaveLength(phases.length + 2);
  expect(valueOf(turn, "dari.message.id")).toBe(record.id);
  expect(valueOf(turn, "dari.turn.recorded")).toBe("completed");
  expect(valueOf(agent, "gen_ai.conversation.id")).toBe(session);
  // The agent receives the context of its own span.
  const [, context] = resultsOf(record) as [null, { traceparent: string }];
  expect(context.traceparent).toBe(`00-${agent.traceId}-${agent.spanId}-01`);

  // Phases follow each other within the turn.
  const within = phases.map((name) => one(name));
  for (const [index, span] of within.entries()) {
    expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    if (index > 0) expect(span.startTimeUnixNano).toBe(within[index - 1]!.endTimeUnixNano);
  }
  expect(within.at(-1)?.endTimeUnixNano).toBe(turn.endTimeUnixNano);
  expect(JSON.stringify(found)).not.toContain("what the user said");
  expect([...paths]).toEqual(["/v1/traces"]);
  expect([...keys]).toEqual(["key of the collector"]);
});

test("each tool call of an agent is a span below the agent's, without arguments and results", async () => {
  const { agentId } = await deploy(fleet, {
    ...manifestFile({ entrypoint: "agent.mjs:agent" }),
    "agent.mjs": `export async function agent(prompt, { tool }) {
      await tool("search", { query: "what was asked" }, () => "what was found");
      await tool("pay", {}, () => { throw new Error("no money"); }).catch(() => {});
    }`,
  });
  const { id: session } = await fleet.client.createSession(agentId);
  const record = await send(fleet, session, "go");
  const found = await spansOf(record.id, 1);
  const agent = found.find(({ name }) => name.startsWith("invoke_agent"));
  const calls = found.filter(({ name }) => name.startsWith("execute_tool"));
  expect(calls.map(({ name }) => name)).toEqual(["execute_tool search", "execute_tool pay"]);
  for (const call of calls) {
    expect(call).toMatchObject({ parentSpanId: agent?.spanId, service: "dari-worker" });
    expect(call.startTimeUnixNano >= agent!.startTimeUnixNano).toBe(true);
    expect(valueOf(call, "gen_ai.conversation.id")).toBe(session);
    expect(valueOf(call, "gen_ai.operation.name")).toBe("execute_tool");
  }
  const requested = await activityOf(fleet, session, record.id);
  const callIds = dataOf(requested, "tool.call_requested").map(({ call_id }) => call_id);
  expect(calls.map((call) => valueOf(call, "gen_ai.tool.call.id"))).toEqual(callIds);
  expect(calls.map((call) => valueOf(call, "error.type"))).toEqual([undefined, "_OTHER"]);
  expect(JSON.stringify(found)).not.toMatch(/what was|no money/);
});

test("each attempt of a message is a turn of the same trace, and says how it failed", async () => {
  const { id: session } = await fleet.client.createSession(agentId);
  const record = await playScript(fleet, session, [["throw", "no luck"]]);
  expect(record.status).toBe("failed");
  const turns = (await spansOf(record.id, 2)).filter(({ name }) => name === "turn");
  expect(turns.map((turn) => valueOf(turn, "dari.turn.recorded")).sort()).toEqual(["failed", "retry"]);
  for (const turn of turns) expect(turn.status).toEqual({ code: 2, message: "agent_error" });
});

test("a build is its own trace", async () => {
  const built = await waitUntil(() => spans.find(({ name }) => name === "build version"), { what: "the build's span" });
  expect(built.traceId).toBe(traceIdsFor(valueOf(built, "dari.version.id") ?? "").traceId);
});
