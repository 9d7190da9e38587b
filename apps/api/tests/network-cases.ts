// What the routes of an organization's settings accept and refuse: for what its agents reach, for recorded answers, and
// for the pages that can use its sessions.

import type { RouteName } from "@dari/contract";
import type { RouteCase } from "./route-case.ts";

export const networkCases = {
  getEgress: {},
  putEgress: {
    valid: { mode: "allow", hosts: ["api.example.com"] },
    invalid: [
      [{}, "mode"],
      [{ mode: "closed" }, "mode"],
      [{ mode: "allow" }, "hosts"],
      [{ mode: "open", hosts: ["a.example"] }, "hosts"],
      [{ mode: "allow", hosts: ["https://a.example"] }, "hosts[0]"],
      [{ mode: "allow", hosts: ["a.example:65536"] }, "hosts[0]"],
      [{ mode: "allow", hosts: ["*"] }, "hosts[0]"],
    ],
  },
  deleteEgress: {},
  getAnswerRecording: {},
  putAnswerRecording: {
    valid: { mode: "never" },
    invalid: [
      [{}, "mode"],
      [{ mode: "always" }, "mode"],
      [{ mode: null }, "mode"],
      [{ mode: "never", until: "2027-01-01" }, "until"],
    ],
  },
  getAllowedOrigins: {},
  putAllowedOrigins: {
    valid: { origins: ["https://app.example.com", "http://localhost:5173"] },
    invalid: [
      [{}, "origins"],
      [{ origins: "https://app.example.com" }, "origins"],
      [{ origins: ["*"] }, "origins[0]"],
      [{ origins: ["null"] }, "origins[0]"],
      [{ origins: ["https://*.example.com"] }, "origins[0]"],
      [{ origins: ["http://app.example.com"] }, "origins[0]"],
      [{ origins: ["https://app.example.com/"] }, "origins[0]"],
      [{ origins: ["https://app.example.com:443"] }, "origins[0]"],
      [{ origins: ["https://App.example.com"] }, "origins[0]"],
      [{ origins: ["https://user@app.example.com"] }, "origins[0]"],
      [{ origins: ["http://localhost.example.com"] }, "origins[0]"],
      [{ origins: ["https://a.example", "https://a.example"] }, "origins"],
    ],
  },
} as const satisfies Partial<Record<RouteName, RouteCase>>;
