// docs/events.md: every type of event with when it is written, its ids and its payload.

import { activityTypes, eventKinds, previewKinds } from "@dari/contract";
import { limits } from "@dari/domain";

interface Schema {
  readonly type?: string;
  readonly title?: string;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

interface Kind {
  readonly when: string;
  readonly ids: Readonly<Record<string, object>>;
  readonly data: object;
}

const introduction = `# Events

Generated from the contract. A session's events are one ledger: \`GET /v1/sessions/{id}/events\` lists it,
[streams](streams.md) follow it, [webhooks](webhooks.md) announce it. Every event is

\`\`\`json
{ "id": "evt_…", "sequence_number": 7, "type": "attempt.ended", "session_id": "sess_…", "message_id": "msg_…",
  "attempt_id": "att_…", "created_at": "2026-11-25T09:47:00.000Z", "data": { "outcome": "completed" } }
\`\`\`

\`type\` decides which ids an event carries and what \`data\` holds. The [reference](openapi.json) has a schema for each
type (\`KnownEvent\`), and both clients narrow \`data\` by \`type\`. A later release may add types, and fields to a
type: ignore what you do not know. The clients type such an event as \`UnknownEvent\`.

\`?\` marks what may be absent. A fork or an import copies events with their message, but without
\`attempt.started\` and \`attempt.ended\`. The copied events keep the original \`attempt_id\`.`;

export function eventsPage(): string {
  return [
    introduction,
    "",
    ...table(Object.fromEntries(Object.entries(eventKinds).filter(([type]) => !isActivity(type)))),
    "",
    activity,
    "",
    ...table(Object.fromEntries(Object.entries(eventKinds).filter(([type]) => isActivity(type)))),
    "",
    values,
    "",
    "## Previews",
    "",
    "Only streams send these, at most once each. They have no `id`, no `sequence_number` and no `created_at`.",
    "",
    ...table(previewKinds),
    "",
  ].join("\n");
}

const isActivity = (type: string): boolean => (activityTypes as readonly string[]).includes(type);

const activity = `## What an agent does

These events tell what happens between a message and its answer. The platform writes them for exported agents of the
[SDKs](sdks.md), and for functions that call \`context.tool\` ([how](write-an-agent.md#report-progress-stop-and-test)).
A function that runs an SDK itself has only those of \`context.tool\` and [\`context.step\`](steps.md), unless the
SDK is [openai-agents](sdks.md#openai-agents).

- Each has the \`attempt_id\` of its attempt. The events of a failed attempt stay.
- \`call_id\` and \`ordinal\` are unique in their attempt. If a call waits for a person, the next attempt has its
  result.
- For a tool of an MCP server, \`server\` is the server and \`name\` the tool's name without it.
- A value over 16 KiB (\`arguments\`, \`result\`, \`text\`) is cut. The event then has its beginning, as text, its size
  in \`<field>_bytes\`, and the [whole](#large-and-binary-values) in \`<field>_value_id\`.
- Secrets are replaced, as in logs.
- An attempt stores at most 10,000 of these events. \`agent.events_omitted\` then counts the others.
- They are stored together: every 200 ms while a client streams the session, otherwise at the end of the turn and at
  least every 2 s. Without Redis, always every 200 ms. So a client can get several at once.
- The transcript has them as entries of the kind \`event\`, without \`model.request_…\` and \`step.completed\`.`;

const values = `## List a turn's tool calls

- Live: \`GET /v1/messages/{id}/stream\`, types \`tool.call_requested\` and \`tool.call_completed\`. After the turn, it
  replays the stored events.
- In the answer: \`GET /v1/messages/{id}?include=tool_calls\`; for all messages, the same of the session's transcript.
- One call: \`dari message tool-call <message> <call>\`. \`dari session events <session> --json\` shows call ids.

For a message that steered, use the id in \`delivered_in\`.

## Large and binary values

\`GET /v1/messages/{id}/tool-calls/{call_id}\` returns a tool call with its whole arguments and result, even if its
events are cut. If several attempts made a call with this id, it returns the last one; \`?attempt=2\` chooses.

A picture or another binary part of a result is a description in the event and in this reply:

\`\`\`json
{ "type": "image", "media_type": "image/png", "size_bytes": 52311, "value_id": "val_…" }
\`\`\`

\`GET /v1/messages/{id}/values/{value_id}\` downloads the bytes, or a text that was cut, always as an attachment.

- One value has at most ${limits.valueBytes / 1024 ** 2} MiB. An attempt stores at most
  ${limits.valuesPerAttempt.toLocaleString("en")} values and ${limits.valueBytesPerAttempt / 1024 ** 2} MiB. Of a value
  over a limit, only the beginning is kept: it has no \`value_id\`, and the reply for its call has \`is_cut: true\`.
- They are stored beside the events. So a value can be missing for a moment, and stays cut if it could not be stored:
  the attempt's log then says why.
- Secrets are replaced in every value that is valid UTF-8. Other bytes are stored as they are.
- They count towards the organization's [storage](limits.md#storage), and are deleted with their session. A fork has the
  values of the messages that it copies. An export has none.`;

function table(kinds: Readonly<Record<string, Kind>>): string[] {
  const rows = Object.entries(kinds).map(([type, { when, ids, data }]) => {
    const carried = Object.entries(ids).map(([name, schema]) => `\`${name}${isOptional(schema) ? "?" : ""}\``);
    return `| \`${type}\` | ${when} | ${carried.join(", ")} | ${fieldsOf(data)} |`;
  });
  return ["| type | when | ids | `data` |", "| --- | --- | --- | --- |", ...rows];
}

/** An optional part of a schema has a mark that its JSON lacks. */
function isOptional(schema: object): boolean {
  return "~optional" in schema;
}

function fieldsOf(of: object): string {
  const data = of as Schema;
  if (data.title === "Message") return "the message's record";
  if (data.properties === undefined) return "an object";
  const fields = Object.entries(data.properties).map(([name, schema]) => {
    return `\`${name}${data.required?.includes(name) === true ? "" : "?"}\`: ${wordFor(schema)}`;
  });
  return fields.join("<br>");
}

function wordFor(schema: Schema): string {
  if (schema.anyOf !== undefined && schema.title === undefined) return schema.anyOf.map(wordFor).join(" or ");
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${word}\``).join(", ");
  if (schema.items !== undefined) return `list of ${wordFor(schema.items)}`;
  if (schema.format === "date-time") return "time";
  return schema.title ?? schema.type ?? "any JSON";
}
