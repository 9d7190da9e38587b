// Expired sign-ins are removed permanently, and valid ones are kept.

import { purgeDefaults, purgeDeleted, type StorageContext } from "@dari/control/storage";
import { invitations } from "@dari/db";
import { newId } from "@dari/domain";
import {
  createTestDatabase,
  createTestInvitation,
  createTestMember,
  createTestOrganization,
  signInTestMember,
  type TestDatabase,
} from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const run = (text: string): Promise<unknown> => database.db.pool.query(text);

async function left(): Promise<unknown> {
  const { rows } = await database.db.pool.query(`select
    (select count(*)::int from sign_ins) as browsers, (select count(*)::int from sign_in_links) as links,
    (select count(*)::int from device_requests) as devices, (select count(*)::int from sign_in_tries) as tries,
    (select count(*)::int from invitations) as invited`);
  return rows[0];
}

test("one pass removes expired rows, up to its limit of each kind", async () => {
  const { db } = database;
  const { organizationId } = await createTestOrganization(db);
  const people = await Promise.all(Array.from({ length: 4 }, () => createTestMember(db, organizationId)));
  for (const { memberId } of people) await signInTestMember(db, organizationId, memberId);
  for (let count = 0; count < 4; count++) await createTestInvitation(db, organizationId);
  await run(`insert into sign_in_links (member_id, organization_id, secret_hash, expires_at)
    select id, organization_id, decode(md5(id), 'hex'), clock_timestamp() + interval '1 hour' from members`);
  await run(`insert into device_requests (device_hash, user_hash, device_name, interval_seconds, expires_at)
    select decode(md5('d' || i), 'hex'), decode(md5('u' || i), 'hex'), 'x', 5, clock_timestamp() + interval '1 hour'
    from generate_series(1, 4) i`);
  await run(`insert into sign_in_tries (kind, subject, started_at, used)
    select 'device', i, clock_timestamp(), 1 from generate_series(1, 4) i`);
  const context = { db } as StorageContext;
  const settings = { ...purgeDefaults, perPass: 2 };
  expect((await purgeDeleted(context, settings)).signIns).toBe(0);
  const whole = { browsers: 4, links: 4, devices: 4, tries: 4, invited: 4 };
  expect(await left()).toEqual(whole);

  const three = (table: string, key: string): string => `where ${key} in (select ${key} from ${table} limit 3)`;
  await run(`update sign_ins set expires_at = clock_timestamp() ${three("sign_ins", "id")}`);
  await run(`update sign_in_links set expires_at = clock_timestamp() ${three("sign_in_links", "member_id")}`);
  await run(`update device_requests set expires_at = clock_timestamp() ${three("device_requests", "device_hash")}`);
  await run(`update sign_in_tries set started_at = clock_timestamp() - interval '25 hours'
    ${three("sign_in_tries", "subject")}`);
  // An expired invitation can still be renewed for a while.
  await run(`update invitations set expires_at = clock_timestamp() - interval '31 days' ${three("invitations", "id")}`);
  await run(`update invitations set expires_at = clock_timestamp() where expires_at > clock_timestamp()`);
  expect((await purgeDeleted(context, settings)).signIns).toBe(2 + 2 + 2 + 3 + 3);
  expect((await purgeDeleted(context, settings)).signIns).toBe(3);
  expect(await left()).toEqual({ browsers: 1, links: 1, devices: 1, tries: 1, invited: 1 });
  expect(await invitations.findInvitation(db, organizationId, newId("invitation"))).toBeUndefined();
});

test("callers without a key cannot create rows faster than passes remove them", async () => {
  const { db } = database;
  await run(`insert into device_requests (device_hash, user_hash, device_name, interval_seconds, expires_at)
    select decode(md5('d' || i), 'hex'), decode(md5('u' || i), 'hex'), 'x', 5, clock_timestamp()
    from generate_series(10, 1009) i`);
  await run(`insert into sign_in_tries (kind, subject, started_at, used)
    select 'device', i, clock_timestamp() - interval '25 hours', 1 from generate_series(10, 1009) i`);
  expect((await purgeDeleted({ db } as StorageContext)).signIns).toBe(2_000);
});
