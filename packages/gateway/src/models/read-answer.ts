// Reads what a model's answer says about its tokens while the answer passes. Holds at most 64 KiB of it, and gives up
// where it would need more. The answer never waits for its reader.

import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { modelRequestLimits, waitUntilSettled, type ModelAnswer, type UnreadReason } from "@dari/domain";
import { EventLines } from "./event-lines.ts";
import { formats, type Counts, type Finding } from "./formats.ts";
import { JsonSkeleton } from "./json-skeleton.ts";
import type { ModelCall } from "./known-models.ts";

export interface AnswerHead {
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

export interface AnswerReader {
  /** Reads the next piece. Never throws. */
  write(chunk: Buffer): void;
  /** Notes that the whole answer has arrived. */
  end(): void;
  /** Resolves with what the pieces so far say. Never rejects. */
  read(): Promise<ModelAnswer>;
  /** Releases what the reader holds. */
  close(): void;
}

/** Bytes of one answer that are read, decompressed. */
const readBytesMax = 256 * 1024 ** 2;
/** Compressed bytes that wait for decompression. */
const waitingBytesMax = 1024 ** 2;
/** How long `read` waits for the decompression of what has arrived. Milliseconds. */
const readWithinMs = 1_000;

/** Compressed answers of one sandbox that are open. Reading one takes up to 16 MiB. */
export interface Decompressors {
  open: number;
}
const decompressorsMax = 16;

export function createAnswerReader(
  call: ModelCall,
  head: AnswerHead,
  decompressors: Decompressors = { open: 0 },
): AnswerReader {
  const isStream = /^text\/event-stream\b/i.test(head.contentType ?? "");
  const isJson = /\bjson\b/i.test(head.contentType ?? "");
  const found = createFindings(call);
  let unread: UnreadReason | undefined;
  let isStopped = false;
  let isWhole = false;
  let readBytes = 0;
  const opened = openDecompression(head.contentEncoding, decompressors, { scan, giveUp });
  const decompression = typeof opened === "object" ? opened : undefined;
  const skeleton = new JsonSkeleton(readValue, { splitsArray: !isStream });
  const scanner = isStream ? new EventLines(skeleton) : skeleton;
  if (typeof opened === "string") giveUp(opened);

  function giveUp(reason: UnreadReason): void {
    unread ??= reason;
    isStopped = true;
    decompression?.close();
  }
  function readValue(text: string): void {
    // An error of a proxy before the provider can be a page.
    if (!found.add(text, isStream) && (isStream || isJson)) unread ??= "malformed";
  }
  function scan(bytes: Buffer): void {
    if (isStopped) return;
    readBytes += bytes.length;
    if (readBytes > readBytesMax) return giveUp("too_large");
    try {
      scanner.write(bytes);
    } catch {
      giveUp("too_large");
    }
  }

  return {
    write(chunk) {
      if (isStopped) return;
      if (decompression === undefined) scan(chunk);
      else decompression.write(chunk);
    },
    end() {
      isWhole = true;
      if (!isStopped) decompression?.end();
    },
    async read() {
      let isCurrent = decompression === undefined;
      const current = decompression?.current().then(() => void (isCurrent = true));
      if (current !== undefined) await waitUntilSettled(readWithinMs, current);
      if (!isCurrent) giveUp("too_fast");
      if (isWhole && (isStream || isJson) && skeleton.isOpen) unread ??= "malformed";
      return found.answer({ isStream, isWhole, unread });
    },
    close: () => decompression?.close(),
  };
}

interface Decompression {
  write(chunk: Buffer): void;
  /** Notes that nothing follows: what is cut is then malformed. */
  end(): void;
  /** Resolves once everything that was written is decompressed. */
  current(): Promise<void>;
  close(): void;
}

/** Returns undefined if the answer is not compressed, and the reason if it cannot be decompressed. */
function openDecompression(
  encoding: string | undefined,
  decompressors: Decompressors,
  { scan, giveUp }: { scan(bytes: Buffer): void; giveUp(reason: UnreadReason): void },
): Decompression | UnreadReason | undefined {
  const create = creatorOf(encoding?.trim().toLowerCase());
  if (typeof create !== "function") return create;
  if (decompressors.open >= decompressorsMax) return "too_many";
  decompressors.open += 1;
  const decompressor = create()
    .on("data", scan)
    .on("error", () => giveUp("malformed"))
    .once("close", () => (decompressors.open -= 1));
  let isEmpty = true;
  let isEnded = false;
  return {
    write(chunk) {
      isEmpty = false;
      if (decompressor.writableLength > waitingBytesMax) giveUp("too_fast");
      else decompressor.write(chunk);
    },
    end() {
      if (isEmpty) return;
      isEnded = true;
      decompressor.end();
    },
    current() {
      if (decompressor.destroyed) return Promise.resolve();
      return new Promise((resolve) => {
        if (isEnded) decompressor.once("close", resolve);
        else decompressor.write(nothing, () => resolve());
      });
    },
    close: () => void decompressor.destroy(),
  };
}

const nothing = Buffer.alloc(0);

function creatorOf(encoding: string | undefined): (() => Transform) | UnreadReason | undefined {
  switch (encoding) {
    case undefined:
    case "":
    case "identity":
      return undefined;
    case "gzip":
    case "x-gzip":
      return createGunzip;
    case "deflate":
      return createInflate;
    case "br":
      return createBrotliDecompress;
    case "zstd":
      // RFC 9659 limits the window, and so the memory of its reader.
      return () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } });
    default:
      return "encoding";
  }
}

interface Findings {
  /** Adds a document or an event. Returns false if it is not JSON. */
  add(text: string, isStream: boolean): boolean;
  answer(read: {
    readonly isStream: boolean;
    readonly isWhole: boolean;
    readonly unread: UnreadReason | undefined;
  }): ModelAnswer;
}

function createFindings(call: ModelCall): Findings {
  const { format, model } = call;
  const { says, find, totals } = formats[format];
  let found: Finding = { model };
  let isFirst = true;
  let counts: Counts = {};
  return {
    add(text, isStream) {
      if (isStream && text === "[DONE]") {
        found = { ...found, isEnd: true };
        return true;
      }
      // The first event names the model. Parsing each of the others takes longer than all the rest.
      if (isStream && !isFirst && !says.test(text)) return true;
      isFirst = false;
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return false;
      }
      if (typeof value !== "object" || value === null || Array.isArray(value)) return true;
      const next = find(value as Readonly<Record<string, unknown>>);
      counts = { ...counts, ...defined(next.counts ?? {}) };
      const finishReason = found.finishReason === "error" ? "error" : (next.finishReason ?? found.finishReason);
      found = { ...found, ...defined(next), finishReason, isEnd: found.isEnd === true || next.isEnd === true };
      return true;
    },
    answer({ isStream, isWhole, unread }) {
      const hasEnd = found.isEnd === true || (isWhole && found.finishReason !== undefined);
      return {
        ...totals(counts, call),
        model: toName(found.model),
        finishReason: toName(found.finishReason),
        isComplete: unread === undefined && (isStream ? hasEnd : isWhole),
        unread: unread ?? null,
      };
    },
  };
}

/** Cuts a name, and replaces what cannot be stored or would control a terminal: hosts can say anything. */
function toName(text: string | undefined): string | null {
  const cut = text?.slice(0, modelRequestLimits.nameChars).toWellFormed();
  return cut?.replace(/\p{Cc}/gu, "\uFFFD") ?? null;
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Partial<T>;
}
