// Everything that leaves the platform: event streams, webhooks, and sessions as files (export and import).

export { exportSession } from "./exports/export-session.ts";
export { importSession } from "./exports/import-session.ts";
export { discardExport, receiveExport, type ReceivedExport } from "./exports/receive-export.ts";
export { followMessage } from "./streams/follow-message.ts";
export { followSession, type StreamItem } from "./streams/follow-session.ts";
export { createSessionFeeds } from "./streams/session-feeds.ts";
export { createStreamLimiter } from "./streams/stream-limiter.ts";
export {
  deleteAgentWebhook,
  getAgentWebhook,
  putAgentWebhook,
  rotateAgentWebhookSecret,
} from "./webhooks/agent-webhook.ts";
export { deleteWebhookEndpoint, updateWebhookEndpoint } from "./webhooks/change-endpoint.ts";
export { createWebhookEndpoint } from "./webhooks/create-endpoint.ts";
export {
  getWebhookDelivery,
  listWebhookDeliveries,
  resendWebhookDelivery,
  sendWebhookTest,
} from "./webhooks/delivery-log.ts";
export { getWebhookEndpoint, listWebhookEndpoints } from "./webhooks/get-endpoint.ts";
export { parseReceiverPolicy } from "./webhooks/check-receiver.ts";
export { rotateWebhookSecret } from "./webhooks/rotate-secret.ts";
export {
  createWebhookSender,
  type SenderSettings,
  type WebhookContext,
  type WebhookSender,
} from "./webhooks/deliver-webhooks.ts";
export { sweepWebhooks } from "./webhooks/sweep-webhooks.ts";
