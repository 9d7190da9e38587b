// Command lines that wait for a person's approval (RFC 8628). Codes are stored only as hashes.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface NewDeviceRequest {
  readonly deviceHash: Buffer;
  readonly userHash: Buffer;
  readonly deviceName: string;
  /** Where the call came from. */
  readonly address: string;
  readonly intervalSeconds: number;
  readonly validMs: number;
}

/**
 * Returns false if `most` requests wait already, in total or from this address (concurrent calls can exceed it
 * slightly), or if another request has the same code, which is one in millions (unique index on user_hash, index
 * device_requests_by_address).
 */
export async function insertDeviceRequestIfBelow(
  db: Database,
  request: NewDeviceRequest,
  most: { readonly inAll: number; readonly ofAddress: number },
): Promise<boolean> {
  const { deviceHash, userHash, deviceName, address, intervalSeconds, validMs } = request;
  const result = await sql`
    insert into device_requests (device_hash, user_hash, device_name, address, interval_seconds, expires_at)
    select ${deviceHash}::bytea, ${userHash}::bytea, ${deviceName}, ${address}, ${intervalSeconds}::int,
      clock_timestamp() + ${validMs} * interval '1 millisecond'
    where (select count(*) from (select 1 from device_requests where expires_at > clock_timestamp()
      limit ${most.inAll}) x) < ${most.inAll}
      and (select count(*) from (select 1 from device_requests where address = ${address}
        and expires_at > clock_timestamp() limit ${most.ofAddress}) x) < ${most.ofAddress}
    on conflict (user_hash) do nothing`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

export interface DeviceRequestRow {
  readonly deviceName: string;
  readonly expiresAt: Date;
  readonly createdAt: Date;
}

/** Finds the waiting request with this code (unique index on user_hash). */
export async function findDeviceRequestIfPending(
  db: Database,
  userHash: Buffer,
): Promise<DeviceRequestRow | undefined> {
  const result = await sql<DeviceRequestRow>`
    select device_name as "deviceName", expires_at as "expiresAt", created_at as "createdAt" from device_requests
    where user_hash = ${userHash} and state = 'pending' and expires_at > clock_timestamp()`.execute(db.kysely);
  return result.rows[0];
}

export interface DeviceApproval {
  readonly organizationId: string;
  readonly memberId: string;
  /** The browser that approves. */
  readonly signInId: string;
  /** Whether the approving person may create, change and remove owners. */
  readonly managesOwners: boolean;
}

/**
 * Decides a waiting request, once. `approvedBy` undefined: denies it. A browser whose sign-in has ended cannot approve.
 */
export async function decideDeviceRequestIfPending(
  db: Database,
  userHash: Buffer,
  approvedBy: DeviceApproval | undefined,
): Promise<{ deviceName: string } | undefined> {
  const result = await sql<{ deviceName: string }>`
    with browser as (select let_in_by from sign_ins where id = ${approvedBy?.signInId ?? null} for share)
    update device_requests set state = ${approvedBy === undefined ? "denied" : "approved"},
      organization_id = ${approvedBy?.organizationId ?? null}, member_id = ${approvedBy?.memberId ?? null},
      manages_owners = ${approvedBy?.managesOwners ?? false},
      let_in_by = coalesce((select let_in_by from browser), '{}')
    where user_hash = ${userHash} and state = 'pending' and expires_at > clock_timestamp()
      and (${approvedBy === undefined} or exists (select 1 from browser))
    returning device_name as "deviceName"`.execute(db.kysely);
  return result.rows[0];
}

export interface ApprovedDevice extends Omit<DeviceApproval, "signInId"> {
  /** Members whose links led to the sign-in of the approving browser. */
  readonly invitedBy: string[];
  readonly role: string;
  readonly deviceName: string;
}

/** Takes an approved request; only one poll gets it (primary key). */
export async function takeDeviceRequestIfApproved(
  db: Database,
  deviceHash: Buffer,
): Promise<ApprovedDevice | undefined> {
  const result = await sql<ApprovedDevice>`delete from device_requests d using members m, organizations o
    where d.device_hash = ${deviceHash} and d.state = 'approved' and d.expires_at > clock_timestamp()
      and m.id = d.member_id and o.id = d.organization_id and o.deleted_at is null
    returning d.organization_id as "organizationId", d.member_id as "memberId", m.role,
      d.manages_owners as "managesOwners", d.device_name as "deviceName",
      d.let_in_by as "invitedBy"`.execute(db.kysely);
  return result.rows[0];
}

export interface PolledDevice {
  readonly state: string;
  readonly isTooEarly: boolean;
  readonly intervalSeconds: number;
}

/**
 * Records a poll. A poll that comes too early makes the interval longer by `stepSeconds`. Returns undefined if the
 * request has expired, was taken, or never existed (primary key).
 */
export async function recordPoll(
  db: Database,
  deviceHash: Buffer,
  stepSeconds: number,
): Promise<PolledDevice | undefined> {
  const result = await sql<PolledDevice>`
    with old as (select device_hash, polled_at + interval_seconds * interval '1 second' > clock_timestamp() as early
      from device_requests where device_hash = ${deviceHash} and expires_at > clock_timestamp() for update)
    update device_requests d set polled_at = clock_timestamp(),
      interval_seconds = d.interval_seconds + case when old.early then ${stepSeconds}::int else 0 end
    from old where d.device_hash = old.device_hash
    returning d.state, coalesce(old.early, false) as "isTooEarly", d.interval_seconds as "intervalSeconds"`.execute(
    db.kysely,
  );
  return result.rows[0];
}

/** Deletes expired requests (index device_requests_by_expiry). Returns how many. */
export async function purgeDeviceRequests(db: Database, limit: number): Promise<number> {
  const result = await sql`delete from device_requests where device_hash = any (array(
    select device_hash from device_requests where expires_at < clock_timestamp() order by expires_at
    limit ${limit} for update skip locked))`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}
