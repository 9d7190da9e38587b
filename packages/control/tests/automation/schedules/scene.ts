// Schedules on a separate database, with short ways to make them due.

import { createSchedule, fireSchedules, getSchedule, type FiringCounts } from "@dari/control/automation";
import type { Actor, Control } from "@dari/control/context";
import { createRateLimiter, type RateDefaults } from "@dari/control/tenants";
import { createBacklog } from "@dari/control/turns";
import { scheduleFirings, type FiringRow } from "@dari/db";
import { createTestAgent, createTestDatabase, createTestOrganization, type TestDatabase } from "@dari/testkit";
import type { CreateScheduleRequest, ScheduleRecord } from "@dari/contract";

export interface ScheduleScene extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly control: Control;
  readonly actor: Actor;
  readonly agentId: string;
  readonly log: { event: string; fields: Record<string, unknown> }[];
  /** Due once a year, for the agent, unless the request says otherwise. */
  schedule(request?: Partial<CreateScheduleRequest>): Promise<ScheduleRecord>;
  /** Makes it due, this many seconds ago. */
  makeDue(scheduleId: string, secondsAgo?: number): Promise<void>;
  fire(): Promise<FiringCounts>;
  get(scheduleId: string): Promise<ScheduleRecord>;
  /** The newest first. */
  firings(scheduleId: string): Promise<FiringRow[]>;
  /** Returns the rows of a statement. */
  rows<Row extends object>(statement: string, ...values: unknown[]): Promise<Row[]>;
}

export const yearly = "0 0 1 1 *";

export async function openScheduleScene(rates: Partial<RateDefaults> = {}): Promise<ScheduleScene> {
  const database = await createTestDatabase();
  const { db } = database;
  const log: ScheduleScene["log"] = [];
  const write = (fields: Record<string, unknown>, event: string): void => void log.push({ event, fields });
  const parts = {
    db,
    log: { debug: write, info: write, warn: write, error: write },
    notifier: { notify: () => undefined, subscribe: () => () => undefined, close: async () => undefined },
    delivery: { available: false, deliver: () => Promise.reject(new Error("there is no queue")) },
    backlog: createBacklog(),
    rates: createRateLimiter(db, { requests: undefined, messages: undefined, upload_bytes: undefined, ...rates }),
  };
  // What these operations use of it.
  const control = parts as unknown as Control;
  const { organizationId, keyId } = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, organizationId);
  const actor = { organizationId, keyId, scopes: ["admin"] };
  const place = (scheduleId: string) => ({ organizationId, scheduleId });
  return {
    database,
    control,
    actor,
    agentId,
    log,
    schedule: (request = {}) =>
      createSchedule(control, actor, {
        ...(request.session_id === undefined ? { agent_id: agentId } : {}),
        cron: yearly,
        parts: [{ type: "text", text: "good morning" }],
        ...request,
      }),
    async makeDue(scheduleId, secondsAgo = 1) {
      await db.pool.query(
        `update schedules set next_due_at = clock_timestamp() - $2 * interval '1 second'
          where id = $1`,
        [scheduleId, secondsAgo],
      );
    },
    fire: () => fireSchedules(control),
    get: (scheduleId) => getSchedule(control, place(scheduleId)),
    async firings(scheduleId) {
      return (await scheduleFirings.listFirings(db, place(scheduleId), { limit: 100 }))?.rows ?? [];
    },
    rows: async <Row extends object>(statement: string, ...values: unknown[]) =>
      (await db.pool.query<Row>(statement, values)).rows,
    [Symbol.asyncDispose]: () => database.close(),
  };
}
