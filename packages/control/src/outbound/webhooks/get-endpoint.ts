// Reads webhook endpoints, without their secrets.

import type { WebhookEndpointRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { webhookEndpoints, type Page, type WebhookEndpointKey } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderEndpoint } from "../views/webhook.ts";

/** @throws AppError `not_found` */
export async function getWebhookEndpoint(
  control: Pick<Control, "db">,
  place: WebhookEndpointKey,
): Promise<WebhookEndpointRecord> {
  return renderEndpoint(requireFound(await webhookEndpoints.findEndpoint(control.db, place), "webhook endpoint"));
}

export async function listWebhookEndpoints(
  control: Control,
  actor: Actor,
  page: Page,
): Promise<PageOf<WebhookEndpointRecord>> {
  return renderPage(await webhookEndpoints.listEndpoints(control.db, actor.organizationId, page), renderEndpoint);
}
