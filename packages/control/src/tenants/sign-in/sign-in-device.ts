// Signs a command line in without typing a secret (RFC 8628): it shows a code, a signed-in person approves the code,
// and the command line gets a key of the person. No usable secret is stored: the key is created for the first poll
// after the approval.

import { createHmac, randomInt } from "node:crypto";
import {
  scopesOfRole,
  type DecideDeviceRequest,
  type DeviceDecided,
  type DevicePolled,
  type DeviceRequest,
  type DeviceStarted,
  type Role,
} from "@dari/contract";
import { inOneTransaction, type Actor, type Control, type Person } from "@dari/control/context";
import { apiKeys, deviceRequests, type ApprovedDevice } from "@dari/db";
import { AppError, limits, newId } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { createKeySecret } from "../keys/key-secret.ts";
import { canManageOwners } from "../members/owners.ts";
import { limitSignInTries } from "./limit-sign-in-tries.ts";
import { createPersonActor } from "./sign-in-browser.ts";
import { createSignInSecret, hashSignInSecret, parseSignInSecretKind } from "./sign-in-secret.ts";

/** No vowels, so that no words appear, and no letters that look alike. */
const codeLetters = "BCDFGHJKLMNPQRSTVWXZ";
const codeLength = 8;

/** Starts a request. @throws AppError `limit_exceeded` if too many requests wait, from this address or in total. */
export async function startDevice(control: Control, deviceName: string, address: string): Promise<DeviceStarted> {
  const secret = createSignInSecret("device");
  const code = createUserCode();
  const inserted = await deviceRequests.insertDeviceRequestIfBelow(
    control.db,
    {
      deviceHash: secret.hash,
      userHash: hashUserCode(control, code),
      deviceName: deviceName.trim(),
      address,
      intervalSeconds: limits.devicePollSeconds,
      validMs: limits.deviceCodeMs,
    },
    { inAll: limits.devicesWaiting, ofAddress: limits.devicesWaitingPerAddress },
  );
  if (!inserted) throw new AppError("limit_exceeded", tooManyWait, { retryAfterSeconds: 60 });
  const page = `${control.publicUrl}/device`;
  return {
    device_code: secret.plaintext,
    user_code: code,
    verification_uri: page,
    verification_uri_complete: `${page}?code=${code}`,
    expires_in: limits.deviceCodeMs / 1_000,
    interval: limits.devicePollSeconds,
  };
}

const tooManyWait = "too many command-line sign-ins wait for approval; approve or deny some, or retry in a minute";

function createUserCode(): string {
  const letters = Array.from({ length: codeLength }, () => codeLetters[randomInt(codeLetters.length)]).join("");
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** Hashes a code with a key, because all codes can be tried in a minute. */
function hashUserCode(control: Control, code: string): Buffer {
  const letters = code.toUpperCase().replace(/[^A-Z]/g, "");
  return createHmac("sha256", control.urlSigningKey).update(`device-user-code\0${letters}`).digest();
}

/** @throws AppError `quota_exceeded` if the organization has its maximum of keys; the approval stays valid. */
export async function pollDevice(control: Control, deviceCode: string): Promise<DevicePolled> {
  const interval = limits.devicePollSeconds;
  if (parseSignInSecretKind(deviceCode) !== "device") return { status: "expired_token", interval };
  const hash = hashSignInSecret(deviceCode);
  const polled = await deviceRequests.recordPoll(control.db, hash, limits.devicePollSeconds);
  if (polled === undefined) return { status: "expired_token", interval };
  if (polled.isTooEarly) return { status: "slow_down", interval: polled.intervalSeconds };
  if (polled.state === "denied") return { status: "access_denied", interval: polled.intervalSeconds };
  if (polled.state === "pending") return { status: "authorization_pending", interval: polled.intervalSeconds };
  const made = await inOneTransaction(control, async (inside) => {
    const approved = await deviceRequests.takeDeviceRequestIfApproved(inside.db, hash);
    return approved === undefined ? undefined : makeDeviceKey(inside, approved);
  });
  return made ?? { status: "expired_token", interval };
}

/** Replaces the person's former key of this device name. */
async function makeDeviceKey(inside: Control, approved: ApprovedDevice): Promise<DevicePolled> {
  const { organizationId, memberId, managesOwners, deviceName, invitedBy } = approved;
  const role = approved.role as Role;
  const secret = createKeySecret();
  const expiresAt = new Date(Date.now() + limits.deviceKeyMs);
  const key = {
    id: newId("apiKey"),
    organizationId,
    memberId,
    label: `cli: ${deviceName}`,
    secretHash: secret.hash,
    scopes: scopesOfRole[role],
    managesOwners,
    invitedBy,
    expiresAt,
  };
  await withAuditEntry(
    inside,
    createPersonActor(organizationId, memberId),
    (tx) => apiKeys.replaceApiKeyByLabel(tx.db, key),
    ({ id, label, scopes }) => ({
      action: "api_key.create",
      target: id,
      details: { label, scopes, replaces_same_label: true },
    }),
  );
  return {
    status: "approved",
    interval: limits.devicePollSeconds,
    api_key: secret.plaintext,
    api_key_expires_at: expiresAt.toISOString(),
    organization_id: organizationId,
    member_id: memberId,
  };
}

/**
 * @throws AppError `forbidden` for keys, `limit_exceeded` after too many tries, `not_found` if no request has this
 *   code.
 */
export async function getDeviceRequest(control: Control, actor: Actor, userCode: string): Promise<DeviceRequest> {
  await limitSignInTries(control, "user_code", requireBrowser(actor).memberId);
  const row = await deviceRequests.findDeviceRequestIfPending(control.db, hashUserCode(control, userCode));
  if (row === undefined) throw nothingWaits();
  return {
    user_code: userCode,
    device_name: row.deviceName,
    expires_at: row.expiresAt.toISOString(),
    created_at: row.createdAt.toISOString(),
  };
}

/** Approves or denies a request, once. @throws AppError as `getDeviceRequest` */
export async function decideDeviceRequest(
  control: Control,
  actor: Actor,
  request: DecideDeviceRequest,
): Promise<DeviceDecided> {
  const { memberId } = requireBrowser(actor);
  await limitSignInTries(control, "user_code", memberId);
  const { decision } = request;
  const { organizationId, keyId: signInId } = actor;
  const approval = { organizationId, memberId, signInId, managesOwners: canManageOwners(actor) };
  const approvedBy = decision === "approve" ? approval : undefined;
  const decided = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const hash = hashUserCode(control, request.user_code);
      const row = await deviceRequests.decideDeviceRequestIfPending(inside.db, hash, approvedBy);
      if (row === undefined) throw nothingWaits();
      return row;
    },
    ({ deviceName }) => ({ action: `device.${decision}`, target: memberId, details: { device_name: deviceName } }),
  );
  return { decision, device_name: decided.deviceName };
}

/** A key that authorizes further keys would have an effect after its own end. */
function requireBrowser(actor: Actor): Person {
  if (actor.person !== undefined && actor.signInMethod !== undefined) return actor.person;
  throw new AppError("forbidden", "only people who are signed in with a browser can do this, not keys");
}

function nothingWaits(): AppError {
  return new AppError("not_found", "no command line waits with this code; it is mistyped, expired or already decided");
}
