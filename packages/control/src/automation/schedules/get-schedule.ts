// Reads schedules and the results of their due times.

import type { FiringRecord, ScheduleRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { scheduleFirings, schedules, type Page, type ScheduleFilter, type ScheduleKey } from "@dari/db";
import { requireFound, type FiringOutcome } from "@dari/domain";
import { renderFiring, renderSchedule } from "../views/schedule.ts";

/** @throws AppError `not_found` */
export async function getSchedule(control: Pick<Control, "db">, place: ScheduleKey): Promise<ScheduleRecord> {
  return renderSchedule(requireFound(await schedules.findSchedule(control.db, place), "schedule"));
}

/** @throws AppError `invalid` for an unknown cursor. */
export async function listSchedules(
  control: Control,
  actor: Actor,
  filter: ScheduleFilter,
  page: Page,
): Promise<PageOf<ScheduleRecord>> {
  return renderPage(await schedules.listSchedules(control.db, actor.organizationId, filter, page), renderSchedule);
}

/** @throws AppError `not_found`; `invalid` for an unknown cursor. */
export async function listScheduleFirings(
  control: Control,
  place: ScheduleKey,
  page: Page & { readonly outcome?: FiringOutcome | undefined },
): Promise<PageOf<FiringRecord>> {
  requireFound(await schedules.findSchedule(control.db, place), "schedule");
  return renderPage(await scheduleFirings.listFirings(control.db, place, page), renderFiring);
}
