// Builds the API as an Express application: the middleware around every route, and the table of handlers.

import type { Control } from "@dari/control/context";
import { limits } from "@dari/domain";
import type { MetricsPage } from "@dari/runtime";
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import { agUiHandlers } from "./chat-clients/ag-ui.ts";
import { aiSdkHandlers } from "./chat-clients/ai-sdk.ts";
import { mountConsole } from "./console.ts";
import type { CallSettings, Handlers } from "./http/call.ts";
import { createErrorHandler, refuseUnknownRoute } from "./http/errors.ts";
import { mountRoutes } from "./http/mount.ts";
import { pathForLog } from "./http/path-for-log.ts";
import { assignRequestId, requestIdOf } from "./http/request-id.ts";
import { limitUnauthenticated } from "./http/limit-unauthenticated.ts";
import { mcpHandlers } from "./mcp/mcp.ts";
import type { BoardQueue } from "./ops/board-call.ts";
import { mountOps } from "./ops/mount-ops.ts";
import { mountPackages, type PackagesOptions } from "./packages.ts";
import { mountReference } from "./reference/mount-reference.ts";
import { mountOAuth } from "./oauth/mount-oauth.ts";
import { openAiChatHandlers } from "./openai/chat-completions.ts";
import { openAiConversationHandlers } from "./openai/conversations.ts";
import { openAiFileHandlers } from "./openai/files.ts";
import { openAiModelHandlers } from "./openai/models.ts";
import { openAiResponseHandlers } from "./openai/responses.ts";
import { agentHandlers } from "./routes/agents.ts";
import { apiKeyHandlers } from "./routes/api-keys.ts";
import { batchHandlers } from "./routes/batches.ts";
import { budgetHandlers } from "./routes/budgets.ts";
import { answerRecordingHandlers } from "./routes/answer-recording.ts";
import { egressHandlers } from "./routes/egress.ts";
import { connectedAppHandlers } from "./routes/connected-apps.ts";
import { credentialHandlers } from "./routes/credentials.ts";
import { fileHandlers } from "./routes/files.ts";
import { historyHandlers } from "./routes/history.ts";
import { mountHealth } from "./routes/health.ts";
import { memberHandlers } from "./routes/members.ts";
import { messageHandlers } from "./routes/messages.ts";
import { operatorHandlers } from "./routes/operators.ts";
import { organizationHandlers } from "./routes/organizations.ts";
import { priceHandlers } from "./routes/prices.ts";
import { scheduleHandlers } from "./routes/schedules.ts";
import { sessionTokenHandlers } from "./routes/session-tokens.ts";
import { sessionHandlers } from "./routes/sessions.ts";
import { sourceSnapshotHandlers } from "./routes/source-snapshots.ts";
import { streamHandlers } from "./routes/streams.ts";
import { modelRequestHandlers } from "./routes/model-requests.ts";
import { replayHandlers } from "./routes/replays.ts";
import { toolCallHandlers } from "./routes/tool-calls.ts";
import { triggerHandlers } from "./routes/triggers.ts";
import { usageHandlers } from "./routes/usage.ts";
import { webhookHandlers } from "./routes/webhooks.ts";
import { workspaceHandlers } from "./routes/workspaces.ts";
import { mountSignIn } from "./sign-in/mount-sign-in.ts";
import { createOidcProvider, type OidcSettings } from "./sign-in/oidc-provider.ts";

/** A route of the contract that has no handler is a compile error. */
const handlers: Handlers = {
  ...agentHandlers,
  ...agUiHandlers,
  ...aiSdkHandlers,
  ...apiKeyHandlers,
  ...batchHandlers,
  ...budgetHandlers,
  ...answerRecordingHandlers,
  ...egressHandlers,
  ...connectedAppHandlers,
  ...credentialHandlers,
  ...fileHandlers,
  ...historyHandlers,
  ...mcpHandlers,
  ...memberHandlers,
  ...messageHandlers,
  ...openAiChatHandlers,
  ...openAiConversationHandlers,
  ...openAiFileHandlers,
  ...openAiModelHandlers,
  ...openAiResponseHandlers,
  ...operatorHandlers,
  ...organizationHandlers,
  ...priceHandlers,
  ...scheduleHandlers,
  ...sessionHandlers,
  ...sessionTokenHandlers,
  ...sourceSnapshotHandlers,
  ...streamHandlers,
  ...toolCallHandlers,
  ...modelRequestHandlers,
  ...replayHandlers,
  ...triggerHandlers,
  ...usageHandlers,
  ...webhookHandlers,
  ...workspaceHandlers,
};

export interface AppOptions extends PackagesOptions {
  /** Aborts when the server drains. Calls that wait for a message are then answered with its current state. */
  readonly draining?: AbortSignal;
  readonly settings?: Partial<CallSettings>;
  /** Shown to operators at /metrics. */
  readonly metrics?: MetricsPage;
  /** Shown to operators at /ops/queues; absent if there is no queue. */
  readonly queue?: BoardQueue | undefined;
  /** The identity provider; absent if people sign in by links only. */
  readonly oidc?: OidcSettings | undefined;
  /** Directory of the built console, served at /console (default: where this checkout builds it). */
  readonly consoleDir?: string | undefined;
}

export function createApp(control: Control, options: AppOptions = {}): Express {
  const draining = options.draining ?? new AbortController().signal;
  const settings = {
    syncWaitMs: limits.syncWaitMs,
    fileBytes: limits.fileBytes,
    exportBytes: limits.exportBytes,
    heartbeatMs: limits.streamHeartbeatMs,
    stalledMs: limits.streamStalledMs,
    oidcName: options.oidc?.name ?? null,
    unauthenticatedPerMinute: limits.unauthenticatedCallsPerMinute,
    trustedProxies: 0,
    ...options.settings,
  };
  const app = express();
  app.disable("x-powered-by").disable("etag").enable("case sensitive routing");
  // The number of proxies in front of the API. Entries of `X-Forwarded-For` beyond that number are not trusted.
  app.set("trust proxy", settings.trustedProxies);
  const limit = limitUnauthenticated(control, { perMinute: settings.unauthenticatedPerMinute });
  app.use(assignRequestId, logRequests(control), limit);
  mountHealth(app, control, draining);
  mountOAuth(app, control);
  mountRoutes(app, { control, handlers, settings, draining });
  mountReference(app, control);
  mountOps(app, { control, metrics: options.metrics, queue: options.queue });
  mountSignIn(app, control, options.oidc && createOidcProvider(options.oidc));
  mountConsole(app, options.consoleDir);
  mountPackages(app, control, options);
  app.use(refuseUnknownRoute);
  app.use(createErrorHandler(control));
  return app;
}

/** Logs one line per finished request, with the route's pattern instead of its path if it has one. */
function logRequests(control: Control) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const startedAt = performance.now();
    response.once("close", () => {
      const fields = {
        request_id: requestIdOf(response),
        method: request.method,
        route: response.locals["route"],
        path: response.locals["route"] === undefined ? pathForLog(request) : undefined,
        status: response.statusCode,
        finished: response.writableFinished,
        ms: Math.round(performance.now() - startedAt),
        org: response.locals["organizationId"],
      };
      control.log[response.locals["route"] === undefined ? "debug" : "info"](fields, "request");
    });
    next();
  };
}
