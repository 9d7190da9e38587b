// Schemathesis' settings: the keys, which ids to use, and checks that do not apply to this API.

import type { Stage } from "./stage.ts";

/** Half of the calls use existing ids; the others what the schemas allow and forbid. */
const share = 0.5;

/** Ids in bodies. */
const bodies = ["message_id", "source_snapshot_id", "version_id"];
/** The same of OpenAI's API, by the names of the ids there. */
const openAiBodies = { model: "agent_id", previous_response_id: "response_id", conversation: "conversation_id" };

/** Routes for the whole installation, which need an operator's key. */
const operatorRoutes = ["getOperatorHealth", "checkStore", "resealSecrets", "createOrganization", "updateOrganization"];

/** Streams that end late or never: one event is enough. The seconds are for those without events. */
const streams = [
  "streamSession",
  "streamMessage",
  "sendMessageStream",
  "getBuildLogs",
  "createOpenAiResponse",
  "createOpenAiChatCompletion",
  "sendUiMessage",
  "streamUiMessage",
  "runAgUi",
  "callMcp",
];

/** Their bodies are bytes: whatever a value's type was, a file with that content is sent. */
const uploads = ["uploadFile", "createOpenAiFile"];

/** JSON strings are valid TOML. */
const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[]): string => `[${texts.map(quoted).join(", ")}]`;

/** Returns the configuration file. It contains keys, so it must be private. */
export function renderConfig(stage: Stage): string {
  const { ids } = stage;
  return [
    `headers = { Authorization = ${quoted(`Bearer ${stage.apiKey}`)} }`,
    "request-timeout = 20",
    "max-stream-events = 8",
    // Findings are reported per operation. Minimizing each example takes too long.
    "[generation]",
    // No text of this API can contain NUL, which JSON Schema cannot express for all strings at once.
    "allow-x00 = false",
    "no-shrink = true",
    ...checkSettings(),
    ...Object.entries(ids).flatMap(([name, values]) => dictionary(name, values)),
    ...Object.keys(ids).flatMap((name) => binding(`path.${name}`, name)),
    ...bodies.flatMap((name) => binding(`body.${name}`, name)),
    ...Object.entries(openAiBodies).flatMap(([field, name]) => binding(`body.${field}`, name)),
    ...binding("body.parts[*].file_id", "file_id"),
    ...dictionary("workspace_path", ["/said.txt", "/input", "/"]),
    ...binding("query.path", "workspace_path"),
    ...operatorSettings(stage),
    ...streamSettings(),
    ...uploadSettings(),
    "",
  ].join("\n");
}

/**
 * A call that the schema allows can be refused with 422 for what only the rows know: an unknown id in a body, a cursor
 * of another list, a time that has passed. What a schema can express, it must, so no other check is off.
 */
function checkSettings(): string[] {
  const refusals = list(["400", "401", "403", "404", "405", "409", "412", "413", "416", "422", "429", "503"]);
  return [
    "[checks]",
    "positive_data_acceptance.enabled = false",
    `negative_data_rejection.expected-statuses = ${refusals}`,
  ];
}

function dictionary(name: string, values: readonly string[]): string[] {
  return [`[dictionaries.${name}]`, `values = ${list(values)}`];
}

function binding(parameter: string, name: string): string[] {
  return [`[parameters.${quoted(parameter)}]`, `dictionary = ${quoted(name)}`, `probability = ${share}`];
}

function operatorSettings({ operatorKey, otherOrganizationId }: Stage): string[] {
  const own = `headers = { Authorization = ${quoted(`Bearer ${operatorKey}`)} }`;
  return operatorRoutes.flatMap((name) => [
    "[[operations]]",
    `include-operation-id = ${quoted(name)}`,
    own,
    ...(name === "updateOrganization" ? [`parameters = { organization_id = ${quoted(otherOrganizationId)} }`] : []),
  ]);
}

function streamSettings(): string[] {
  return streams.flatMap((name) => [
    "[[operations]]",
    `include-operation-id = ${quoted(name)}`,
    "request-timeout = 5",
    "max-stream-events = 1",
  ]);
}

function uploadSettings(): string[] {
  return uploads.flatMap((name) => [
    "[[operations]]",
    `include-operation-id = ${quoted(name)}`,
    "checks.negative_data_rejection.enabled = false",
  ]);
}
