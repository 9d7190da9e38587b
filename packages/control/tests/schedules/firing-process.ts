// A firing as a process of its own, for tests that kill it.

import { openDatabase } from "@dari/db";
import { createBacklog } from "../../src/dispatch/backlog.ts";
import { createRateLimiter } from "../../src/limits/rate-limiter.ts";
import { fireSchedules } from "../../src/schedules/fire-schedules.ts";

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
