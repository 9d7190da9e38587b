// People: members, invitations, sign-in, and the devices that they approve.

import { renderList } from "@dari/contract";
import {
  createInvitation,
  createKeySignInLink,
  createSignInLink,
  decideDeviceRequest,
  deleteInvitation,
  getDeviceRequest,
  getInvitation,
  getMe,
  limitSignInTries,
  listInvitations,
  listMembers,
  openSignInLink,
  pollDevice,
  removeMember,
  signInWithKey,
  signOut,
  startDevice,
  updateMember,
} from "@dari/control/tenants";
import type { Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";
import { requestIdOf } from "../http/request-id.ts";
import { refuseOtherSites } from "../http/same-origin.ts";
import { countPublicCall } from "../http/limit-unauthenticated.ts";
import { setSignInCookie, clearSignInCookie } from "../http/authenticate-request.ts";
import { getClientPrefix } from "../sign-in/client-prefix.ts";

export const memberHandlers: Handlers<
  | "listMembers"
  | "updateMember"
  | "removeMember"
  | "createSignInLink"
  | "listInvitations"
  | "createInvitation"
  | "deleteInvitation"
  | "getMe"
  | "signOut"
  | "signInWithKey"
  | "createKeySignInLink"
  | "getDeviceRequest"
  | "decideDeviceRequest"
  | "openSignInLink"
  | "startDevice"
  | "pollDevice"
> = {
  async listMembers({ control, params, query }) {
    return renderList("members", await listMembers(control, params.organization_id, readPage(query)));
  },

  async updateMember({ control, actor, params, body }) {
    return updateMember(control, actor, params.member_id, body);
  },

  async removeMember({ control, actor, params }) {
    return removeMember(control, actor, params.member_id);
  },

  async createSignInLink({ control, actor, params }) {
    return createSignInLink(control, actor, params.organization_id, params.member_id);
  },

  async listInvitations({ control, actor, query }) {
    return renderList("invitations", await listInvitations(control, actor, readPage(query)));
  },

  createInvitation: {
    async create({ control, actor, params, body }) {
      const created = await createInvitation(control, actor, params.organization_id, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, params }, invitationId) => getInvitation(control, params.organization_id, invitationId),
  },

  async deleteInvitation({ control, actor, params }) {
    return deleteInvitation(control, actor, params.invitation_id);
  },

  async getMe({ control, actor }) {
    return getMe(control, actor);
  },

  async signOut({ control, actor, response }) {
    const done = await signOut(control, actor);
    response.set("set-cookie", clearSignInCookie(control));
    return done;
  },

  async signInWithKey({ control, actor, request, response }) {
    // Otherwise another site could sign a browser in as someone else.
    refuseOtherSites(control, request);
    const signIn = await signInWithKey(control, actor);
    response.set("set-cookie", setSignInCookie(control, signIn));
    return signIn.signedIn;
  },

  async createKeySignInLink({ control, actor }) {
    return createKeySignInLink(control, actor);
  },

  async getDeviceRequest({ control, actor, query }) {
    return getDeviceRequest(control, actor, query["user_code"] ?? "");
  },

  async decideDeviceRequest({ control, actor, body }) {
    return decideDeviceRequest(control, actor, body);
  },

  async openSignInLink({ control, body, request, response }) {
    // Otherwise another site could sign a browser in as someone else.
    refuseOtherSites(control, request);
    countPublicCall(response);
    await limitSignInTries(control, "sign_in", getClientPrefix(request));
    const signIn = await openSignInLink(control, body.token, requestIdOf(response));
    response.set("set-cookie", setSignInCookie(control, signIn));
    return signIn.signedIn;
  },

  async startDevice({ control, body, request, response }) {
    countPublicCall(response);
    const address = getClientPrefix(request);
    await limitSignInTries(control, "device", address);
    return startDevice(control, body.device_name, address);
  },

  async pollDevice({ control, body, response }) {
    countPublicCall(response);
    return pollDevice(control, body.device_code);
  },
};
