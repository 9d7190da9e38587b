// A sender in a separate process, for tests that kill it. Its sealer does not decrypt.

import type { Sealer } from "@dari/control/context";
import { createWebhookSender, parseReceiverPolicy } from "@dari/control/outbound";
import { openDatabase } from "@dari/db";

const { URL: url = "", RECEIVER: receiver = "" } = process.env;
const db = openDatabase({ url, poolMax: 2, role: "dari_app", applicationName: "dari-test-sender" });
const quiet = (): void => undefined;
const sender = createWebhookSender({
  db,
  sealer: { open: () => "whsec_dGVzdA==" } as unknown as Sealer,
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  webhookReceivers: parseReceiverPolicy(receiver),
});
await sender.runOnce();
await sender.idle();
