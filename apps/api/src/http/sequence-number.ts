// Reads a place in a ledger.

import { invalidField } from "@dari/domain";

/** @throws AppError `invalid` that names `field`. */
export function readSequenceNumber(text: string, field: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw invalidField(field, "expected the sequence number of an event");
  return Number(text);
}
