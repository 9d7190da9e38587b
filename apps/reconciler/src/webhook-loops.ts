// Tells receivers outside of events. Every process does: claims keep them from doing the same thing twice.

import type { Services } from "@dari/control/assembly";
import { createWebhookSender, sweepWebhooks, type WebhookSender } from "@dari/control/outbound";
import type { Loop } from "@dari/runtime";

/** An event waits so long at most until it is noticed: milliseconds. */
const sendEveryMs = 500;
const sweepEveryMs = 60_000;

/** The sender's attempts outlast the loop's runs: close it when the loops have ended. */
export function startWebhookLoops(
  services: Services,
  start: (name: string, everyMs: number, runOnce: () => Promise<unknown>) => Loop,
): WebhookSender {
  const sender = createWebhookSender(services, {}, () => sending.nudge());
  const sending = start("webhooks", sendEveryMs, () => sender.runOnce());
  start("sweep-webhooks", sweepEveryMs, async () => {
    const { cancelled, purged } = await sweepWebhooks(services);
    if (cancelled + purged > 0) services.log.info({ cancelled, purged }, "webhooks.swept");
  });
  return sender;
}
