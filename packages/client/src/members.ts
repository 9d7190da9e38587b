// Calls about people: members, invitations, sign-in, and devices that people approve.

import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, Transport } from "./transport.ts";

export function memberCalls(transport: Transport) {
  const { call } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  return {
    ...derivedAll("listMembers", "updateMember", "listInvitations", "deleteInvitation", "getMe"),

    /** Sign-ins and device keys of this person end at once. */
    removeMember: derived("removeMember"),

    /** The link is in the reply's `url`, only this once. */
    createSignInLink: derived("createSignInLink"),

    /** The link to pass on is in the reply's `url`, only this once. */
    createInvitation: derived("createInvitation"),

    /** Ends the sign-in with which the call is made: a browser's cookie, or the key of a person's device. */
    signOut: derived("signOut"),

    /** In a browser: the reply sets the session cookie. */
    openSignInLink: (token: string, options?: CallOptions) =>
      call("openSignInLink", { path: {}, body: { token }, options }),

    /** In a browser: signs it in with the client's key. The reply sets the session cookie. */
    signInWithKey: derived("signInWithKey"),

    /** The link is in the reply's `url`. It works once, for ten minutes. */
    createKeySignInLink: derived("createKeySignInLink"),

    startDevice: (deviceName: string, options?: CallOptions) =>
      call("startDevice", { path: {}, body: { device_name: deviceName }, options }),

    pollDevice: (deviceCode: string, options?: CallOptions) =>
      call("pollDevice", { path: {}, body: { device_code: deviceCode }, options }),

    getDeviceRequest: (userCode: string, options?: CallOptions) =>
      call("getDeviceRequest", { path: {}, query: { user_code: userCode }, options }),

    decideDeviceRequest: (userCode: string, decision: "approve" | "deny", options?: CallOptions) =>
      call("decideDeviceRequest", { path: {}, body: { user_code: userCode, decision }, options }),
  };
}
