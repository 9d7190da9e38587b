// Fires schedules in a separate process, for tests that kill it.

import { fireSchedules } from "@dari/control/automation";
import { createRateLimiter } from "@dari/control/tenants";
import { createBacklog } from "@dari/control/turns";
import { openDatabase } from "@dari/db";

const { URL: url = "" } = process.env;
const db = openDatabase({ url, poolMax: 4, role: "dari_app", applicationName: "dari-test-firing" });
const quiet = (): void => undefined;
await fireSchedules({
  db,
  notifier: { notify: quiet, subscribe: () => quiet, close: async () => undefined },
  delivery: { available: false, deliver: () => Promise.reject(new Error("there is no queue")) },
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  backlog: createBacklog(),
  rates: createRateLimiter(db, { requests: undefined, messages: undefined, upload_bytes: undefined }),
});
await db.close();
