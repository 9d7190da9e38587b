// Reads `retries.record_answers`: true, false, or how long the answers are kept.

import { recordingDaysMax } from "@dari/domain";
import { isMapping, refuseUnknown, type Report } from "./read-fields.ts";
import type { Manifest } from "./manifest.ts";

const path = "retries.record_answers";

/** Returns undefined if nothing is recorded, or the value is wrong. Reports what is wrong. */
export function readRecordAnswers(value: unknown, report: Report): Manifest["retries"]["record_answers"] {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return true;
  if (!isMapping(value)) {
    report(path, "expected true, false or {keep_days: <days>}");
    return undefined;
  }
  const { keep_days: days } = value;
  refuseUnknown(value, `${path}.`, report);
  if (days === undefined || days === null) report(`${path}.keep_days`, "field is required");
  else if (typeof days !== "number" || !Number.isSafeInteger(days) || days < 1) {
    report(`${path}.keep_days`, "expected a positive integer");
  } else if (days > recordingDaysMax) report(`${path}.keep_days`, `expected at most ${recordingDaysMax}`);
  else return { keep_days: days };
  return undefined;
}
