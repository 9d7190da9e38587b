// Reads triggers, without their URLs and secrets.

import type { TriggerRecord } from "@dari/contract";
import { renderPage, type Control, type PageOf } from "@dari/control/context";
import { agents, triggers, type Page, type TriggerKey } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderTrigger } from "../views/trigger.ts";

/** @throws AppError `not_found` */
export async function getTrigger(control: Pick<Control, "db">, place: TriggerKey): Promise<TriggerRecord> {
  return renderTrigger(requireFound(await triggers.findTrigger(control.db, place), "trigger"));
}

/** @throws AppError `not_found` for the agent; `invalid` for an unknown cursor. */
export async function listTriggers(
  control: Control,
  place: Omit<TriggerKey, "triggerId">,
  page: Page,
): Promise<PageOf<TriggerRecord>> {
  requireFound(await agents.findAgent(control.db, place.organizationId, place.agentId), "agent");
  return renderPage(await triggers.listTriggers(control.db, place, page), renderTrigger);
}
