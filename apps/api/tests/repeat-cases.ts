// Cases of the routes that run a turn again.

import type { RouteCase } from "./route-case.ts";

export const repeatCases = {
  retryMessage: {
    valid: {},
    invalid: [
      [{ version_id: "agt_1" }, "version_id"],
      [{ version_id: "ver_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "version_id"],
      [{ fork: "yes" }, "fork"],
      [{ on_busy: "push" }, "on_busy"],
      [{ lane: "fast" }, "lane"],
    ],
  },
  replayMessage: {
    valid: {},
    invalid: [
      [{ version_id: "agt_1" }, "version_id"],
      [{ live: "no" }, "live"],
      [{ lane: "fast" }, "lane"],
    ],
  },
  getReplay: {},
  listRecordings: {},
} as const satisfies Record<string, RouteCase>;
