// Changes, disables, enables and deletes webhook endpoints.

import type { Deleted, UpdateWebhookEndpointRequest, WebhookEndpointRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { webhookEndpoints } from "@dari/db";
import { notFound } from "@dari/domain";
import { getWebhookEndpoint } from "./get-endpoint.ts";
import { checkReceiver, publicReceivers } from "./check-receiver.ts";

/**
 * Changes an endpoint. Pending deliveries go to the new URL. Events that happen while an endpoint is disabled are not
 * delivered to it.
 * @throws AppError `not_found`; `invalid` for a URL that is not allowed.
 */
export async function updateWebhookEndpoint(
  control: Control,
  actor: Actor,
  endpointId: string,
  request: UpdateWebhookEndpointRequest,
): Promise<WebhookEndpointRecord> {
  const place = { organizationId: actor.organizationId, endpointId };
  const { url, status, event_types: eventTypes } = request;
  const receiver = url === undefined ? undefined : checkReceiver(url, control.webhookReceivers ?? publicReceivers);
  const change = { url, eventTypes, description: request.description, status };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      if (!(await webhookEndpoints.updateEndpointIfLive(inside.db, place, change))) throw notFound("webhook endpoint");
    },
    () => ({
      action: "webhook.update",
      target: endpointId,
      details: {
        changed: Object.keys(request),
        ...(receiver === undefined ? {} : { host: receiver.host }),
        ...(status === undefined ? {} : { status }),
      },
    }),
  );
  return getWebhookEndpoint(control, place);
}

/** @throws AppError `not_found` */
export async function deleteWebhookEndpoint(control: Control, actor: Actor, endpointId: string): Promise<Deleted> {
  const place = { organizationId: actor.organizationId, endpointId };
  const deleted = await withAuditEntry(
    control,
    actor,
    (inside) => webhookEndpoints.deleteEndpointIfLive(inside.db, place),
    (done) => (done ? { action: "webhook.delete", target: endpointId } : undefined),
  );
  if (!deleted) throw notFound("webhook endpoint");
  return { deleted: true, id: endpointId };
}
