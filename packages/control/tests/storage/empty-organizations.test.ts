// Deleted organizations that own much, or that cannot be emptied.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { emptyDeletedOrganizations } from "@dari/control/storage";
import { openDatabase, organizations, type Database } from "@dari/db";
import { createTestOrganization } from "@dari/testkit";
import { openScheduleScene, type ScheduleScene } from "../automation/schedules/scene.ts";

let scene: ScheduleScene;
let owner: Database;
beforeEach(async () => {
  scene = await openScheduleScene();
  const { url } = scene.database;
  owner = openDatabase({ url, poolMax: 1, tenants: "unrestricted", applicationName: "dari-test" });
  await alter("create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$");
});
afterEach(async () => {
  await owner.close();
  await scene[Symbol.asyncDispose]();
});

const alter = (statement: string): Promise<unknown> => owner.pool.query(statement);

const empty = (): Promise<number> => emptyDeletedOrganizations(scene.control, 0, 10);
const remove = (id: string): Promise<unknown> => organizations.deleteOrganizationIfTenant(scene.database.db, id);
const named = (): Promise<object[]> => scene.rows("select id from organizations where name <> ''");

test("an organization that cannot be emptied delays no other, and is tried again", async () => {
  const other = await createTestOrganization(scene.database.db);
  await alter(`create trigger refuse before delete on api_keys for each row
    when (old.organization_id = '${other.organizationId}') execute function refuse()`);
  await remove(other.organizationId);
  await remove(scene.actor.organizationId);
  expect(await empty()).toBe(1);
  expect(await named()).toEqual([{ id: other.organizationId }]);
  expect(scene.log.map(({ event, fields }) => [event, fields.org])).toEqual([
    ["retention.organization_not_emptied", other.organizationId],
  ]);
  await alter("drop trigger refuse on api_keys");
  expect(await empty()).toBe(1);
  expect(await named()).toEqual([]);
  expect(await empty()).toBe(0);
});

test("many rows are deleted in limited pieces, over several passes if needed", async () => {
  const { id } = await scene.schedule();
  await scene.rows(
    `insert into schedule_firings (id, organization_id, schedule_id, due_at, outcome, reason, reason_code)
    select 'f' || n, $1, $2, now() - n * interval '1 minute', 'skipped', 'x', 'x'
    from generate_series(1, 100000) n`,
    scene.actor.organizationId,
    id,
  );
  await alter(`create function refuse_many() returns trigger language plpgsql as $$ begin
    if (select count(*) from gone) > 1000 then raise 'too many'; end if; return null; end $$`);
  await alter(`create trigger refuse_many after delete on schedule_firings referencing old table as gone
    for each statement execute function refuse_many()`);
  await remove(scene.actor.organizationId);
  expect(await empty()).toBe(0);
  expect(await named()).toHaveLength(1);
  expect(await empty()).toBe(1);
  expect(await scene.rows("select id from schedules")).toEqual([]);
  expect(scene.log).toEqual([]);
}, 60_000);
