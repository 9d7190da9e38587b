// Reads the sequence number of an event.

import { invalidField } from "@dari/domain";

/** @throws AppError `invalid` for the parameter `field`. */
export function readSequenceNumber(text: string, field: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw invalidField(field, "expected the sequence number of an event");
  return Number(text);
}
