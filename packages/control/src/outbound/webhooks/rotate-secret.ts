// Replaces an endpoint's secret. The new plaintext is only in the reply.

import type { WebhookEndpointCreated } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { webhookEndpoints } from "@dari/db";
import { AppError, limits, notFound } from "@dari/domain";
import { getWebhookEndpoint } from "./get-endpoint.ts";
import { createWebhookSecret, webhookSecretName } from "./sign-webhook.ts";

/**
 * Replaces the secret. The old one also signs for another day. @throws AppError `not_found`; `conflict` if too many
 * secrets sign already.
 */
export async function rotateWebhookSecret(
  control: Control,
  actor: Actor,
  endpointId: string,
): Promise<WebhookEndpointCreated> {
  const place = { organizationId: actor.organizationId, endpointId };
  const secret = createWebhookSecret();
  const name = webhookSecretName(endpointId);
  const sealed = control.sealer.seal(secret, { organizationId: actor.organizationId, name });
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const { webhookOldSecretMs: oldMs, webhookSecretsMax: max } = limits;
      const outcome = await webhookEndpoints.addSecretIfBelow(inside.db, place, { sealed, oldMs, max });
      if (outcome === "missing") throw notFound("webhook endpoint");
      if (outcome === "too_many") {
        throw new AppError(
          "conflict",
          `limit reached: ${max} secrets sign for this endpoint; wait until an old one expires`,
        );
      }
    },
    () => ({ action: "webhook.rotate_secret", target: endpointId }),
  );
  return { ...(await getWebhookEndpoint(control, place)), secret };
}
