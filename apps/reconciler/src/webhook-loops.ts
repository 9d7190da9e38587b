// Sends events to webhooks. Every process does it; claims prevent double work.

import type { Services } from "@dari/control/assembly";
import { createWebhookSender, sweepWebhooks, type WebhookSender } from "@dari/control/outbound";
import type { StartLoop } from "./loops.ts";

/** The longest time until an event is noticed. Milliseconds. */
const sendEveryMs = 500;
const sweepEveryMs = 60_000;

/** The sender's attempts can outlive the loop's runs, so close it after the loops have ended. */
export function startWebhookLoops(
  services: Services,
  start: StartLoop,
  isPending: () => Promise<boolean>,
): WebhookSender {
  const sender = createWebhookSender(services, {}, () => sending.nudge());
  const sending = start("webhooks", sendEveryMs, async () => {
    if (await isPending()) await sender.runOnce();
  });
  start("sweep-webhooks", sweepEveryMs, async () => {
    const { cancelled, purged } = await sweepWebhooks(services);
    if (cancelled + purged > 0) services.log.info({ cancelled, purged }, "webhooks.swept");
  });
  return sender;
}
