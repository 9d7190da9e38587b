// Stores the files that a request has in itself, before its message is accepted.

import { Readable } from "node:stream";
import type { MessagePartInput } from "@dari/contract";
import { createFile, discardUpload, storeUpload, type StoredUpload } from "@dari/control/storage";
import { requireTokenScope } from "@dari/control/tenants";
import { invalidField } from "@dari/domain";
import type { Response } from "express";
import type { Call } from "../http/call.ts";
import { chargeRate } from "../http/charge-rates.ts";
import type { InlineFile, InputPart } from "./input.ts";

type StoringCall = Pick<Call, "control" | "actor" | "response">;
type StoredPart = MessagePartInput | (Omit<InlineFile, "bytes"> & { readonly stored: StoredUpload });

/** By response, because handlers get copies of the call. */
const storedInputs = new WeakMap<Response, readonly StoredPart[]>();

/**
 * Refuses `store: false` with a key: a repeated call would show what is deleted already.
 * @throws AppError `invalid`
 */
export function checkStore(store: boolean | null | undefined, idempotencyKey: string | undefined): void {
  if (store !== false || idempotencyKey === undefined) return;
  throw invalidField("store", "expected true with the header Idempotency-Key: a repeated request shows what is stored");
}

/** The files that were created for the message. By response too. */
const createdFiles = new WeakMap<Response, readonly string[]>();

/**
 * Stores the bytes of inline files, which count as uploads. Leaves nothing behind if one cannot be stored.
 * @throws AppError `limit_exceeded`; `forbidden` for a session token without the scope `upload`
 */
export async function storeInput(call: StoringCall, parts: readonly InputPart[]): Promise<void> {
  const amount = parts.reduce((sum, part) => sum + ("bytes" in part ? part.bytes.length : 0), 0);
  if (parts.some((part) => "bytes" in part)) requireTokenScope(call.actor, "upload");
  if (amount > 0) await chargeRate(call.control, call.actor, { kind: "upload_bytes", amount }, call.response);
  const stored: StoredPart[] = [];
  storedInputs.set(call.response, stored);
  try {
    for (const part of parts) stored.push(await storePart(call, part));
  } catch (error) {
    await discardInput(call);
    throw error;
  }
}

async function storePart({ control, actor }: StoringCall, part: InputPart): Promise<StoredPart> {
  if (!("bytes" in part)) return part;
  const { bytes, ...file } = part;
  return { ...file, stored: await storeUpload(control, actor, Readable.from([bytes])) };
}

/** Makes the stored bytes files, in the transaction of the message. Returns the message's parts. */
export async function storedPartsOf({ control, actor, response }: StoringCall): Promise<MessagePartInput[]> {
  const parts: MessagePartInput[] = [];
  const created: string[] = [];
  for (const part of storedInputs.get(response) ?? []) {
    if (!("stored" in part)) {
      parts.push(part);
      continue;
    }
    const { id } = await createFile(control, actor, part.stored, part);
    created.push(id);
    parts.push({ type: part.type, file_id: id });
  }
  createdFiles.set(response, created);
  return parts;
}

/** Returns the ids of the files that the request had in itself. */
export function filesOf(response: Response): readonly string[] {
  return createdFiles.get(response) ?? [];
}

/** Deletes what was stored for a message that was not accepted. */
export async function discardInput({ control, response }: StoringCall): Promise<void> {
  for (const part of storedInputs.get(response) ?? []) {
    if ("stored" in part) await discardUpload(control, part.stored);
  }
  storedInputs.delete(response);
}
