// People: members and their roles, invitations, sign-in links, and command-line sign-ins.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, nullable, oneOf, noOtherFields, plainText, timestamp } from "./common.ts";
import { apiKeyScopes, roles, type ApiKeyScope, type Role } from "../vocabulary.ts";
import { OrganizationRecord } from "./organizations.ts";

/** The scopes of each role. Owners and admins differ only in that owners manage owners. */
export const scopesOfRole: Readonly<Record<Role, readonly ApiKeyScope[]>> = {
  owner: ["admin", "deploy", "run", "read"],
  admin: ["admin", "deploy", "run", "read"],
  member: ["deploy", "run", "read"],
};

export const MemberRecord = Type.Object(
  {
    id: idOutput("member"),
    email: Type.String(),
    role: oneOf(roles),
    last_signed_in_at: nullable(timestamp),
    created_at: timestamp,
  },
  { title: "Member" },
);
export type MemberRecord = Static<typeof MemberRecord>;

export const UpdateMemberRequest = Type.Object(
  { role: oneOf(roles) },
  { ...noOtherFields, title: "UpdateMemberRequest" },
);
export type UpdateMemberRequest = Static<typeof UpdateMemberRequest>;

export const CreateInvitationRequest = Type.Object(
  { email: Type.String({ format: "email", maxLength: 254 }), role: oneOf(roles) },
  { ...noOtherFields, title: "CreateInvitationRequest" },
);
export type CreateInvitationRequest = Static<typeof CreateInvitationRequest>;

const invitationFields = {
  id: idOutput("invitation"),
  email: Type.String(),
  role: oneOf(roles),
  expires_at: timestamp,
  created_at: timestamp,
};

export const InvitationRecord = Type.Object(invitationFields, { title: "Invitation" });
export type InvitationRecord = Static<typeof InvitationRecord>;

export const InvitationCreated = Type.Object(
  {
    ...invitationFields,
    url: Type.Optional(
      Type.String({
        description:
          "Link for the invited person. Works once. Shown once: absent if an idempotent request is repeated.",
      }),
    ),
  },
  { title: "InvitationCreated" },
);
export type InvitationCreated = Static<typeof InvitationCreated>;

export const SignInLink = Type.Object(
  {
    member_id: idOutput("member"),
    url: Type.String({ description: "Link that signs this person in. Works once. Shown once." }),
    expires_at: timestamp,
  },
  { title: "SignInLink" },
);
export type SignInLink = Static<typeof SignInLink>;

export const KeySignInLink = Type.Object(
  {
    url: Type.String({ description: "Link that signs a browser in with this key. Works once, for ten minutes." }),
    expires_at: timestamp,
  },
  { title: "KeySignInLink" },
);
export type KeySignInLink = Static<typeof KeySignInLink>;

/** How the caller signed in: by a link, through the identity provider, or with a key. */
export const signInMethods = ["link", "oidc", "key"] as const;
export type SignInMethod = (typeof signInMethods)[number];

export const Me = Type.Object(
  {
    method: oneOf(signInMethods),
    scopes: Type.Array(oneOf(apiKeyScopes)),
    organization: OrganizationRecord,
    member: nullable(MemberRecord),
  },
  { title: "Me" },
);
export type Me = Static<typeof Me>;

export const OpenLinkRequest = Type.Object(
  {
    token: Type.String({
      minLength: 1,
      maxLength: limits.signInTokenChars,
      description: "The part of the link after `#`.",
    }),
  },
  { ...noOtherFields, title: "OpenLinkRequest" },
);
export type OpenLinkRequest = Static<typeof OpenLinkRequest>;

export const SignedIn = Type.Object(
  {
    member_id: nullable(idOutput("member")),
    organization_id: idOutput("organization"),
    expires_at: timestamp,
  },
  { title: "SignedIn", description: "`member_id` is null if the browser is signed in with an organization's key." },
);
export type SignedIn = Static<typeof SignedIn>;

export const SignedOut = Type.Object({ signed_out: Type.Literal(true) }, { title: "SignedOut" });
export type SignedOut = Static<typeof SignedOut>;

const deviceName = Type.String({
  maxLength: limits.nameChars,
  pattern: `^${plainText}*(?!\\s)${plainText}+$`,
  "x-expected": "a non-empty string without control characters or characters that change the text direction",
});

export const StartDeviceRequest = Type.Object(
  { device_name: deviceName },
  { ...noOtherFields, title: "StartDeviceRequest" },
);
export type StartDeviceRequest = Static<typeof StartDeviceRequest>;

export const DeviceStarted = Type.Object(
  {
    device_code: Type.String({ description: "Secret for polling. Keep it on the device." }),
    user_code: Type.String({ description: "Code that the person enters or compares.", examples: ["WDJB-MJHT"] }),
    verification_uri: Type.String(),
    verification_uri_complete: Type.String({ description: "Verification URL that includes the code." }),
    expires_in: Type.Integer({ description: "Lifetime of the codes, in seconds." }),
    interval: Type.Integer({ description: "Minimum time between two polls, in seconds." }),
  },
  { title: "DeviceStarted" },
);
export type DeviceStarted = Static<typeof DeviceStarted>;

export const PollDeviceRequest = Type.Object(
  { device_code: Type.String({ minLength: 1, maxLength: limits.signInTokenChars }) },
  { ...noOtherFields, title: "PollDeviceRequest" },
);
export type PollDeviceRequest = Static<typeof PollDeviceRequest>;

/** Statuses as RFC 8628 names them. */
export const devicePollStatuses = [
  "authorization_pending",
  "slow_down",
  "access_denied",
  "expired_token",
  "approved",
] as const;
export type DevicePollStatus = (typeof devicePollStatuses)[number];

export const DevicePolled = Type.Object(
  {
    status: oneOf(devicePollStatuses),
    interval: Type.Integer({ description: "Minimum time until the next poll, in seconds." }),
    api_key: Type.Optional(
      Type.String({ description: "The device's key. Only the first poll after the approval has it." }),
    ),
    api_key_expires_at: Type.Optional(timestamp),
    organization_id: Type.Optional(idOutput("organization")),
    member_id: Type.Optional(idOutput("member")),
  },
  { title: "DevicePolled" },
);
export type DevicePolled = Static<typeof DevicePolled>;

export const DeviceRequest = Type.Object(
  {
    user_code: Type.String(),
    device_name: Type.String({ description: "Name that the device gives itself. It is not verified." }),
    expires_at: timestamp,
    created_at: timestamp,
  },
  { title: "DeviceRequest" },
);
export type DeviceRequest = Static<typeof DeviceRequest>;

/** People type it: case, spaces and hyphens do not matter. */
export const userCode = Type.String({
  pattern: "^[A-Za-z -]{8,20}$",
  "x-expected": "the code that the command line shows, for example WDJB-MJHT",
});

export const DecideDeviceRequest = Type.Object(
  { user_code: userCode, decision: oneOf(["approve", "deny"]) },
  { ...noOtherFields, title: "DecideDeviceRequest" },
);
export type DecideDeviceRequest = Static<typeof DecideDeviceRequest>;

export const DeviceDecided = Type.Object(
  { decision: oneOf(["approve", "deny"]), device_name: Type.String() },
  { title: "DeviceDecided" },
);
export type DeviceDecided = Static<typeof DeviceDecided>;
