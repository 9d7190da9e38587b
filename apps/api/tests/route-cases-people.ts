// What the routes about people accept and refuse: a part of route-cases.ts.

import type { RouteCase } from "./route-case.ts";

const denial = { decision: "deny", organization_id: "org_x" } as const;

export const peopleCases = {
  listMembers: {},
  updateMember: {
    valid: { role: "member" },
    invalid: [
      [{}, "role"],
      [{ role: "root" }, "role"],
      [{ role: "member", email: "a@b.example" }, "email"],
    ],
  },
  removeMember: {},
  createSignInLink: {},
  listInvitations: {},
  createInvitation: {
    valid: { email: "a@b.example", role: "member" },
    invalid: [
      [{ email: "nobody", role: "x" }, "email"],
      [{ email: "a@b.example", role: "x" }, "role"],
      [{ email: `${"a".repeat(250)}@b.example`, role: "member" }, "email"],
    ],
  },
  deleteInvitation: {},
  getMe: {},
  signOut: {},
  signInWithKey: {},
  createKeySignInLink: {},
  getDeviceRequest: {},
  decideDeviceRequest: {
    valid: { user_code: "WDJB-MJHT", decision: "deny" },
    invalid: [
      [{ decision: "approve" }, "user_code"],
      [{ user_code: "1234-5678", decision: "approve" }, "user_code"],
      [{ user_code: "WDJB-MJHT", decision: "perhaps" }, "decision"],
    ],
  },
  getAppAuthorization: {},
  decideAppAuthorization: {
    valid: { ...denial, client_id: "dcli_x", redirect_uri: "https://client.example/" },
    invalid: [
      [{ ...denial, client_id: "dcli_x" }, "redirect_uri"],
      [{ ...denial, redirect_uri: "https://client.example/" }, "client_id"],
      [{ ...denial, decision: "perhaps", client_id: "dcli_x", redirect_uri: "https://client.example/" }, "decision"],
      [{ ...denial, client_id: 1, redirect_uri: "https://client.example/" }, "client_id"],
      [{ ...denial, organization_id: 1, client_id: "dcli_x", redirect_uri: "https://a.example/" }, "organization_id"],
    ],
  },
  listConnectedApps: {},
  disconnectApp: {},
  openSignInLink: {
    valid: { token: "dinv_x" },
    invalid: [
      [{}, "token"],
      [{ token: "" }, "token"],
      [{ token: "x".repeat(201) }, "token"],
    ],
  },
  startDevice: {
    valid: { device_name: "laptop" },
    invalid: [
      [{}, "device_name"],
      [{ device_name: " " }, "device_name"],
      [{ device_name: "x".repeat(201) }, "device_name"],
    ],
  },
  pollDevice: {
    valid: { device_code: "ddev_x" },
    invalid: [
      [{}, "device_code"],
      [{ device_code: 1 }, "device_code"],
    ],
  },
} as const satisfies Record<string, RouteCase>;
