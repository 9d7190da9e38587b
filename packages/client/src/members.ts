// Calls about people: members, invitations, sign-in, and command lines that people let in.

import type { Role } from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import type { CallOptions, Transport } from "./transport.ts";

export function memberCalls({ call }: Transport) {
  const of = (organizationId: string) => ({ organization_id: organizationId });
  const one = (organizationId: string, memberId: string) => ({ ...of(organizationId), member_id: memberId });

  return {
    listMembers: (organizationId = "current", page: PageQuery = {}, options?: CallOptions) =>
      call("listMembers", { path: of(organizationId), query: { ...page }, options }),

    updateMember: (memberId: string, body: { role: Role }, organizationId = "current", options?: CallOptions) =>
      call("updateMember", { path: one(organizationId, memberId), body, options }),

    /** Sign-ins and device keys of this person end at once. */
    removeMember: (memberId: string, organizationId = "current", options?: CallOptions) =>
      call("removeMember", { path: one(organizationId, memberId), options }),

    /** The link is in the reply's `url`, this once. */
    createSignInLink: (memberId: string, organizationId = "current", options?: CallOptions) =>
      call("createSignInLink", { path: one(organizationId, memberId), options }),

    listInvitations: (organizationId = "current", page: PageQuery = {}, options?: CallOptions) =>
      call("listInvitations", { path: of(organizationId), query: { ...page }, options }),

    /** The link to pass on is in the reply's `url`, this once. */
    createInvitation: (body: { email: string; role: Role }, organizationId = "current", options?: CallOptions) =>
      call("createInvitation", { path: of(organizationId), body, options }),

    deleteInvitation: (invitationId: string, organizationId = "current", options?: CallOptions) =>
      call("deleteInvitation", { path: { ...of(organizationId), invitation_id: invitationId }, options }),

    getMe: (options?: CallOptions) => call("getMe", { path: {}, options }),

    /** Ends the sign-in that the call is made with: a browser's cookie, or the key of a person's device. */
    signOut: (options?: CallOptions) => call("signOut", { path: {}, options }),

    /** In a browser: the reply sets the cookie that signs it in. */
    openSignInLink: (token: string, options?: CallOptions) =>
      call("openSignInLink", { path: {}, body: { token }, options }),

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
