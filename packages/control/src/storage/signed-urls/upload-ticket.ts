// The terms of a reserved upload, signed and held by the client, so that an upload that never happens leaves no row.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Actor, Control } from "@dari/control/context";
import { notFound } from "@dari/domain";

export interface UploadTicket {
  readonly organizationId: string;
  readonly fileId: string;
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export function writeTicket(control: Control, ticket: UploadTicket): string {
  const text = Buffer.from(JSON.stringify(ticket)).toString("base64url");
  return `${text}.${sign(control, text).toString("base64url")}`;
}

/** @throws AppError `not_found` if it was not made here, or is for another organization. */
export function readTicket(control: Control, actor: Actor, uploadId: string): UploadTicket {
  const [text = "", signature = ""] = uploadId.split(".");
  const given = Buffer.from(signature, "base64url");
  const expected = sign(control, text);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw notFound("upload");
  const ticket = JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as UploadTicket;
  if (ticket.organizationId !== actor.organizationId) throw notFound("upload");
  return ticket;
}

function sign(control: Control, text: string): Buffer {
  return createHmac("sha256", control.urlSigningKey).update(`file-upload\0${text}`).digest();
}
