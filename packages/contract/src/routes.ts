// Every route of the platform as data. The API mounts it; the clients and the OpenAPI document derive from it.

import { limits, type IdKind } from "@dari/domain";
import Type, { type Static, type TObject, type TSchema } from "typebox";
import { agentRoutes } from "./routes/agents.ts";
import { answerRecordingRoutes } from "./routes/answer-recording.ts";
import { batchRoutes } from "./routes/batches.ts";
import { budgetRoutes } from "./routes/budgets.ts";
import { chatClientRoutes } from "./routes/chat-clients.ts";
import { connectedAppRoutes } from "./routes/connected-apps.ts";
import { egressRoutes } from "./routes/egress.ts";
import { fileRoutes } from "./routes/files.ts";
import { historyRoutes } from "./routes/history.ts";
import { mcpRoutes } from "./routes/mcp.ts";
import { memberRoutes } from "./routes/members.ts";
import { modelRequestRoutes } from "./routes/model-requests.ts";
import { replayRoutes } from "./routes/replays.ts";
import { openAiRoutes } from "./routes/openai.ts";
import { operatorRoutes } from "./routes/operators.ts";
import { organizationRoutes } from "./routes/organizations.ts";
import { priceRoutes } from "./routes/prices.ts";
import type { Route } from "./routes/route.ts";
import { scheduleRoutes } from "./routes/schedules.ts";
import { sessionTokenRoutes } from "./routes/session-tokens.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { streamRoutes } from "./routes/streams.ts";
import { toolCallRoutes } from "./routes/tool-calls.ts";
import { triggerRoutes } from "./routes/triggers.ts";
import { usageRoutes } from "./routes/usage.ts";
import { webhookRoutes } from "./routes/webhooks.ts";
import { agentInput, idInput, integerText } from "./schemas/common.ts";
import { conversationIdInput, responseIdInput } from "./schemas/openai-responses.ts";
import { credentialName } from "./schemas/organizations.ts";

export const routes = {
  ...agentRoutes,
  ...sessionRoutes,
  ...sessionTokenRoutes,
  ...streamRoutes,
  ...toolCallRoutes,
  ...modelRequestRoutes,
  ...replayRoutes,
  ...priceRoutes,
  ...fileRoutes,
  ...historyRoutes,
  ...organizationRoutes,
  ...memberRoutes,
  ...connectedAppRoutes,
  ...operatorRoutes,
  ...budgetRoutes,
  ...egressRoutes,
  ...answerRecordingRoutes,
  ...usageRoutes,
  ...webhookRoutes,
  ...scheduleRoutes,
  ...triggerRoutes,
  ...batchRoutes,
  ...openAiRoutes,
  ...chatClientRoutes,
  ...mcpRoutes,
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;

/** The JSON reply of a route; never where it is not JSON. */
export type ReplyOf<Name extends RouteName> = (typeof routes)[Name] extends { readonly reply: infer S extends TSchema }
  ? Static<S>
  : never;

/** The JSON body of a route; never where it takes none. */
export type RequestOf<Name extends RouteName> = (typeof routes)[Name] extends {
  readonly request: infer S extends TSchema;
}
  ? Static<S>
  : never;

/** The path parameters of a route. */
export type ParametersOf<Name extends RouteName> = PathParameters<(typeof routes)[Name]["path"]>;

/** Returns every path a route is mounted at: `/v1/agents…` is also `/v1/deployments…`. */
export function routePaths(route: Route): string[] {
  const alias = route.path.replace(/^\/v1\/agents(?=\/|$)/, "/v1/deployments");
  return alias === route.path ? [route.path] : [route.path, alias];
}

/** `sourceSnapshot` → "Id of the source snapshot." */
function idOf(kind: Exclude<IdKind, "agent">): TSchema {
  const noun = kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace("api ", "API ");
  return Type.String({ ...idInput(kind), description: `Id of the ${noun}.` });
}

/** The schema of each path parameter. An id of the wrong kind is refused before it is looked up. */
const pathParameters: Readonly<Record<string, TSchema>> = {
  agent_id: agentInput,
  api_key_id: idOf("apiKey"),
  budget_id: idOf("budget"),
  conversation_id: conversationIdInput,
  call_id: Type.String({ minLength: 1, maxLength: limits.nameChars, description: "Id of the tool call." }),
  attempt_number: integerText(1, 1_000_000, "Number of the attempt, as the message's record counts them."),
  file_id: idOf("file"),
  invitation_id: idOf("invitation"),
  member_id: idOf("member"),
  message_id: idOf("message"),
  name: Type.String({ ...credentialName, description: "Name of the credential." }),
  organization_id: Type.String({
    description: "Id of the organization, or `current` for the key's own.",
    pattern: "^(org_|current$)",
    maxLength: 64,
    "x-expected": "an id that starts with 'org_', or 'current'",
  }),
  response_id: responseIdInput,
  schedule_id: idOf("schedule"),
  session_batch_id: idOf("sessionBatch"),
  session_id: idOf("session"),
  source_snapshot_id: idOf("sourceSnapshot"),
  trigger_id: idOf("trigger"),
  trigger_token: Type.String({ minLength: 1, maxLength: 200, description: "The secret end of the trigger's URL." }),
  value_id: idOf("value"),
  version_id: idOf("version"),
  webhook_delivery_id: idOf("webhookDelivery"),
  webhook_endpoint_id: idOf("webhookEndpoint"),
};

/** Returns the schema of a route's path parameters, for `validate`. Build it once per route. */
export function pathSchema(route: Route): TObject {
  const names = parameterNames(route.path);
  return Type.Object(Object.fromEntries(names.map((name) => [name, pathParameters[name] ?? Type.Never()])));
}

function parameterNames(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
}

/** Returns a path with its parameters filled in and escaped. */
export function fillPath<const Path extends string>(path: Path, parameters: PathParameters<Path>): string {
  const values: Readonly<Record<string, string>> = parameters;
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
}

/** The names in the braces of a path. */
export type PathParameters<Path extends string> = { readonly [Name in ParameterName<Path>]: string };

type ParameterName<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterName<Rest>
  : never;
