// An endpoint's deliveries, and those on request: a test, or one delivery again.

import type { WebhookDeliveryRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { webhookDeliveries, type Page, type WebhookEndpointKey } from "@dari/db";
import { AppError, requireFound, newId, notFound, type WebhookDeliveryState } from "@dari/domain";
import { renderDelivery } from "../views/webhook.ts";
import { getWebhookEndpoint } from "./get-endpoint.ts";

/** @throws AppError `not_found` for the endpoint; `invalid` for a cursor of another list. */
export async function listWebhookDeliveries(
  control: Control,
  place: WebhookEndpointKey,
  page: Page & { readonly state?: WebhookDeliveryState | undefined },
): Promise<PageOf<WebhookDeliveryRecord>> {
  await getWebhookEndpoint(control, place);
  return renderPage(await webhookDeliveries.listDeliveries(control.db, place, page), renderDelivery);
}

/** @throws AppError `not_found` */
export async function getWebhookDelivery(
  control: Control,
  place: WebhookEndpointKey,
  deliveryId: string,
): Promise<WebhookDeliveryRecord> {
  await getWebhookEndpoint(control, place);
  return renderDelivery(requireFound(await webhookDeliveries.findDelivery(control.db, place, deliveryId), "delivery"));
}

/** Returns the delivery's id. @throws AppError `not_found`, `conflict` if the endpoint is disabled. */
export async function sendWebhookTest(control: Control, actor: Actor, endpointId: string): Promise<string> {
  const place = { organizationId: actor.organizationId, endpointId };
  const id = newId("webhookDelivery");
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      await getWebhookEndpoint(inside, place);
      const test = { id, eventId: newId("event") };
      if (!(await webhookDeliveries.insertTestIfEnabled(inside.db, place, test))) throw disabled();
    },
    () => ({ action: "webhook.test", target: endpointId, details: { delivery_id: id } }),
  );
  return id;
}

/**
 * Makes the delivery due at once, whatever its result was.
 * @throws AppError `not_found`; `conflict` while it is being sent, and if the endpoint is disabled.
 */
export async function resendWebhookDelivery(
  control: Control,
  place: WebhookEndpointKey,
  actor: Actor,
  deliveryId: string,
) {
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      await getWebhookEndpoint(inside, place);
      const outcome = await webhookDeliveries.resendIfIdle(inside.db, place, deliveryId);
      if (outcome === "missing") throw notFound("delivery");
      if (outcome === "disabled") throw disabled();
      if (outcome === "busy") throw new AppError("conflict", "the delivery is being sent; retry in a few seconds");
    },
    () => ({ action: "webhook.resend", target: place.endpointId, details: { delivery_id: deliveryId } }),
  );
}

function disabled(): AppError {
  return new AppError("conflict", "the webhook endpoint is disabled; enable it first");
}
