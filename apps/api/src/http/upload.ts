// Streams multipart uploads into storage, without buffering in memory or on the local disk. The only file that imports
// multer.

import { validate, type Route } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { discardUpload, storeUpload, type StoredUpload } from "@dari/control/storage";
import { AppError } from "@dari/domain";
import type { Request, Response } from "express";
import multer from "multer";
import { iterateWithoutDestroy } from "./iterate-without-destroy.ts";

export interface ReceivedFile {
  readonly stored: StoredUpload;
  /** The client's name for it, not sanitized. */
  readonly filename: string;
  readonly contentType: string;
}

/** Room for the boundaries and headers around the file. */
export const envelopeBytes = 64 * 1024;

/** Limits of a form's fields beside the file. Without the last two, a name can make a list of any length. */
const fieldLimits = {
  fields: 16,
  fieldSize: 1_024,
  fieldNameSize: 100,
  fieldNestingDepth: 2,
  fieldArrayIndexLimit: 16,
} as const;

interface Receiving {
  readonly control: Control;
  readonly actor: Actor;
  readonly fileBytes: number;
  /** The fields that the body has beside the file; undefined if it has none. */
  readonly form: Route["form"];
}

/**
 * Stores the body's one file, which is named `file`. Leaves nothing behind on an error or if the client disconnects.
 * @throws AppError `invalid`, `too_large`
 */
export async function receiveFile(context: Receiving, request: Request, response: Response): Promise<ReceivedFile> {
  const { control, form } = context;
  // If the client announces the size, refuse before the bytes are sent.
  if (Number(request.get("content-length") ?? 0) > context.fileBytes + envelopeBytes) {
    throw new AppError("too_large", `the file exceeds the limit of ${context.fileBytes} bytes`);
  }
  const storage = createStorage(context);
  // Browsers send names as UTF-8. Our own rule removes the path, because it knows both kinds of slash.
  const limits = form === undefined ? { files: 1, parts: 1 } : { files: 1, ...fieldLimits };
  const receive = multer({ storage, limits, defParamCharset: "utf8", preservePath: true }).single("file");
  await new Promise<void>((resolve, reject) => {
    // The parser throws a plain error for a malformed multipart body.
    receive(request, response, (error?: unknown) =>
      error === undefined ? resolve() : reject(translateError(error, form)),
    );
  });
  const { file } = request;
  const stored = file === undefined ? undefined : storage.storedOf(file);
  if (file === undefined || stored === undefined) throw invalidMultipart(form);
  if (form === undefined) return { stored, filename: file.originalname, contentType: file.mimetype };
  // Clients can send the fields after the file, so the file is stored before they are known.
  const issues = validate(form, { ...(request.body as object) });
  if (issues.length === 0) return { stored, filename: file.originalname, contentType: file.mimetype };
  await discardUpload(control, stored);
  throw new AppError("invalid", "the form is invalid", { issues });
}

function invalidMultipart(form: Route["form"], cause?: unknown): AppError {
  const { fields, fieldSize } = fieldLimits;
  const message =
    form === undefined
      ? "expected a multipart body with exactly one part, a file named 'file'"
      : `expected a multipart body with one file named 'file', and at most ${fields} fields of ${fieldSize} bytes`;
  return new AppError("invalid", message, { issues: [{ path: "file", message }], cause });
}

/** Translates what multer throws. Busboy's errors about malformed bodies are recognizable only by their message. */
function translateError(error: unknown, form: Route["form"]): unknown {
  const isMalformed =
    error instanceof Error && /^(Unexpected end of form|Malformed|Multipart: Boundary)/.test(error.message);
  return isMalformed || error instanceof multer.MulterError ? invalidMultipart(form, error) : error;
}

interface UploadStorage extends multer.StorageEngine {
  storedOf(file: Express.Multer.File): StoredUpload | undefined;
}

/** Creates the storage of one request. Multer calls `_removeFile` for a file it stored before it found an error. */
function createStorage(context: { control: Control; actor: Actor; fileBytes: number }): UploadStorage {
  // Multer copies the file object, but keeps the name that is set here.
  const uploads = new Map<string, StoredUpload>();
  return {
    _handleFile(_request, file, done) {
      storeUpload(context.control, context.actor, iterateWithoutDestroy(file.stream), context.fileBytes).then(
        (stored) => {
          uploads.set(stored.objectKey, stored);
          done(null, { path: stored.objectKey, size: stored.sizeBytes });
        },
        (error: unknown) => done(error),
      );
    },
    _removeFile(_request, file, done) {
      const stored = uploads.get(file.path);
      if (stored === undefined) return done(null);
      discardUpload(context.control, stored).then(() => done(null), done);
    },
    storedOf: (file) => uploads.get(file.path),
  };
}
