// The spans of each log line. Fields are read as they are logged; none contains a message's content.

import type { EndedSpan } from "@dari/runtime";
import { activitySpans } from "./activity-spans.ts";
import { numberOf, textOf, type Fields } from "./log-fields.ts";
import { spanIdOf, traceIdsFor } from "./trace-ids.ts";

/** The phases of the worker's stopwatch, in order. */
const phases = ["image", "restore", "start", "agent", "kill", "save", "commit"] as const;

/** `nowMs`: when the line was written, in milliseconds since 1970. */
export const eventSpans: Readonly<Record<string, (fields: Fields, nowMs: number) => EndedSpan[]>> = {
  "message.accepted"(fields, nowMs) {
    const message = textOf(fields["message"]);
    return [
      {
        ...traceIdsFor(message),
        name: "accept message",
        kind: "server",
        startMs: nowMs - numberOf(fields["ms"]),
        endMs: nowMs,
        attributes: about(fields),
      },
    ];
  },
  "turn.finished": turnSpans,
  ...activitySpans,
  "build.finished"(fields, nowMs) {
    const version = textOf(fields["version"]);
    return [
      {
        ...traceIdsFor(version),
        name: "build version",
        kind: "consumer",
        startMs: nowMs - numberOf(fields["ms"]),
        endMs: nowMs,
        attributes: { ...about(fields), "dari.version.id": version },
        failure: fields["ok"] === true ? undefined : "the build failed",
      },
    ];
  },
};

/** Returns an attempt with its phases, placed end to end before the time of the line. */
function turnSpans(fields: Fields, nowMs: number): EndedSpan[] {
  const message = textOf(fields["message"]);
  const attempt = textOf(fields["attempt"]);
  const { traceId, spanId: rootId } = traceIdsFor(message);
  const turnId = spanIdOf(attempt);
  const measured = phases.map((phase) => ({ phase, ms: numberOf(fields[`${phase}_ms`]) }));
  const workedMs = measured.reduce((sum, { ms }) => sum + ms, 0);
  const claimedMs = nowMs - workedMs;
  const queuedMs = numberOf(fields["queue_ms"]);
  const code = fields["code"];
  const inner = (name: string, startMs: number, ms: number, more: EndedSpan["attributes"] = {}): EndedSpan => ({
    traceId,
    spanId: spanIdOf(attempt, name),
    parentSpanId: turnId,
    name,
    kind: "internal",
    startMs,
    endMs: startMs + ms,
    attributes: more,
  });
  const turn: EndedSpan = {
    traceId,
    spanId: turnId,
    parentSpanId: rootId,
    name: "turn",
    kind: "consumer",
    startMs: claimedMs - queuedMs,
    endMs: nowMs,
    attributes: { ...about(fields), "dari.attempt.id": attempt, "dari.turn.recorded": textOf(fields["recorded"]) },
    failure: typeof code === "string" ? code : undefined,
  };
  let atMs = claimedMs;
  const parts = measured.flatMap(({ phase, ms }) => {
    if (fields[`${phase}_ms`] === undefined) return [];
    const startMs = atMs;
    atMs += ms;
    return [phase === "agent" ? agentSpan(inner(phase, startMs, ms), fields) : inner(phase, startMs, ms)];
  });
  return [turn, inner("queue", claimedMs - queuedMs, queuedMs), ...parts];
}

/** Returns the span of an agent's run, named by OpenTelemetry's conventions for generative AI. */
function agentSpan(span: EndedSpan, fields: Fields): EndedSpan {
  const code = fields["code"];
  const name = fields["agent_name"];
  return {
    ...span,
    name: typeof name === "string" ? `invoke_agent ${name}` : "invoke_agent",
    attributes: {
      "gen_ai.operation.name": "invoke_agent",
      ...named("gen_ai.agent.id", fields["agent"]),
      ...named("gen_ai.agent.name", name),
      "gen_ai.conversation.id": textOf(fields["session"]),
      ...(typeof code === "string" ? { "error.type": code } : {}),
    },
  };
}

function about(fields: Fields): EndedSpan["attributes"] {
  return {
    ...named("dari.organization.id", fields["org"]),
    ...named("dari.session.id", fields["session"]),
    ...named("dari.message.id", fields["message"]),
  };
}

function named(name: string, value: unknown): EndedSpan["attributes"] {
  return typeof value === "string" ? { [name]: value } : {};
}
