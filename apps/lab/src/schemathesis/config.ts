// Schemathesis' settings: the keys, which ids to try, and what its checks may not expect of this API.

import type { Stage } from "./stage.ts";

/** Half of the calls name something that is there; the others what the schemas allow and forbid. */
const share = 0.5;

/** Ids that bodies name. */
const bodies = ["message_id", "source_snapshot_id", "version_id"];

/** Routes that concern the whole installation, so they need an operator's key. */
const operatorRoutes = ["getOperatorHealth", "checkStore", "resealSecrets", "createOrganization", "updateOrganization"];

/** Streams that end late or never: one event is enough. Seconds are for those that have none. */
const streams = ["streamSession", "streamMessage", "sendMessageStream", "getBuildLogs"];

/** Their bodies hold bytes: whatever type a value had, what is sent is a file with that content. */
const uploads = ["uploadFile"];

/** JSON's strings are TOML's. */
const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[]): string => `[${texts.map(quoted).join(", ")}]`;

/** The configuration file. It holds the keys: for its owner only. */
export function renderConfig(stage: Stage): string {
  const { ids } = stage;
  return [
    `headers = { Authorization = ${quoted(`Bearer ${stage.apiKey}`)} }`,
    "request-timeout = 20",
    "max-stream-events = 8",
    // Findings are told by operation; the smallest example of each costs more time than it tells.
    "[generation]",
    // No text of this API may have NUL, which no JSON Schema says of every string at once.
    "allow-x00 = false",
    "no-shrink = true",
    ...checkSettings(),
    ...Object.entries(ids).flatMap(([name, values]) => dictionary(name, values)),
    ...Object.keys(ids).flatMap((name) => binding(`path.${name}`, name)),
    ...bodies.flatMap((name) => binding(`body.${name}`, name)),
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
 * A call that the schema allows may be refused for what only the rows know, with 422: an id in a body that is not
 * there, a cursor of another list, a time that has passed. What a schema can say, it must say, so that no other check
 * is off.
 */
function checkSettings(): string[] {
  const refusals = list(["401", "403", "404", "405", "409", "412", "413", "416", "422", "429", "503"]);
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
