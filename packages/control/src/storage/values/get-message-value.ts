// Reads the bytes of a value that the events of a message name.

import type { Actor, Control } from "@dari/control/context";
import { getMessage } from "@dari/control/turns";
import { messageValues } from "@dari/db";
import { notFound } from "@dari/domain";
import type { OpenedContent } from "../files/get-file.ts";

/** Extensions of downloads. Others are `bin`. */
const extensions: Readonly<Record<string, string>> = {
  "application/json": "json",
  "application/pdf": "pdf",
  "audio/mpeg": "mp3",
  "audio/wav": "wav",
  "image/gif": "gif",
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "text/plain": "txt",
};

/** Reads nothing until `open` is called. @throws AppError `not_found` */
export async function getMessageValue(
  control: Control,
  actor: Actor,
  messageId: string,
  valueId: string,
): Promise<OpenedContent> {
  const { session_id: sessionId } = await getMessage(control, actor, messageId);
  const { organizationId } = actor;
  const of = { organizationId, sessionId, messageId, ids: [valueId] };
  const [row] = await messageValues.listValuesByIds(control.db, of);
  if (row === undefined) throw notFound("value");
  const { objectKey, mediaType, sizeBytes, sha256 } = row;
  return {
    filename: `${valueId}.${extensions[mediaType] ?? "bin"}`,
    // A text was stored in UTF-8.
    contentType: mediaType === "text/plain" ? "text/plain; charset=utf-8" : mediaType,
    sizeBytes,
    sha256,
    open: (range) => control.blobs.get(objectKey, range),
  };
}
