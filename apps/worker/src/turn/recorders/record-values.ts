// Stores the values of a running agent that its events only name: large arguments and results, pictures. Events do not
// wait for them. A value that cannot be stored is logged, and its event stays cut.

import { isUtf8 } from "node:buffer";
import { storeValue, type ValueToStore } from "@dari/control/storage";
import { limits, waitUntilSettled, type Scrubber } from "@dari/domain";
import { findShapeProblem, type ValueFrame } from "@dari/harness";
import type { RestoredAttempt } from "../attempt.ts";
import type { LogRecorder } from "./record-logs.ts";

export interface ValueRecorder {
  /** Stores a value in the background. Resolves when there is room for more. Never rejects. */
  add(frame: Pick<ValueFrame, "id" | "mediaType" | "bytes">): Promise<void> | void;
  /** Resolves when all values are stored or failed, or after `limits.valuesWaitMs`. Never rejects. */
  end(): Promise<void>;
}

/** From here on, the agent waits. */
const storedAtOnce = 8;

export function createValueRecorder(
  { context, turn, lease }: Pick<RestoredAttempt, "context" | "turn" | "lease">,
  logs: Pick<LogRecorder, "add">,
): ValueRecorder {
  const storing = new Set<Promise<void>>();
  let waitingBytes = 0;
  /** Once the organization's storage is full, nothing more is sent to the store. */
  let isOverQuota = false;

  const tell = (id: string, problem: string): void => logs.add("platform", `value ${id} is not kept: ${problem}\n`);
  const overQuota = "the storage quota is reached; delete sessions or files, or ask for more storage";

  async function store(value: ValueToStore): Promise<void> {
    try {
      const outcome = await storeValue({ ...context, blobs: context.workspaces.blobs }, turn, value, lease.signal);
      if (outcome === "over_quota") {
        if (!isOverQuota) tell(value.id, overQuota);
        isOverQuota = true;
      }
    } catch (err) {
      context.log.warn({ err, attempt: turn.attemptId, value: value.id }, "turn.value_lost");
      tell(value.id, "it could not be stored");
    }
  }

  return {
    add({ id, mediaType, bytes }) {
      if (isOverQuota || lease.signal.aborted) return;
      const value = { id, ...scrubValue(turn.scrubber, mediaType, bytes) };
      waitingBytes += value.bytes.length;
      const stored = store(value).finally(() => {
        waitingBytes -= value.bytes.length;
        storing.delete(stored);
      });
      storing.add(stored);
      if (waitingBytes > limits.valueBytesWaiting || storing.size > storedAtOnce) return stored;
    },
    async end() {
      if (storing.size === 0) return;
      await waitUntilSettled(limits.valuesWaitMs, Promise.all(storing));
      if (storing.size > 0) tell("of this attempt", `the store did not answer within ${limits.valuesWaitMs / 1_000} s`);
    },
  };
}

/**
 * Returns the value without secrets. Bytes are a text if they are valid UTF-8, whatever their media type says. Other
 * bytes are not changed.
 */
export function scrubValue(
  scrubber: Scrubber,
  mediaType: string,
  bytes: Buffer,
): { readonly mediaType: string; readonly bytes: Buffer } {
  if (!isUtf8(bytes)) return { mediaType, bytes };
  const text = bytes.toString("utf8");
  if (mediaType !== "application/json") return { mediaType, bytes: Buffer.from(scrubber.text(text)) };
  // The API parses what is stored as JSON.
  const value = findShapeProblem(text) === undefined ? parse(text) : undefined;
  if (value === undefined) return { mediaType: "text/plain", bytes: Buffer.from(scrubber.text(text)) };
  return { mediaType, bytes: Buffer.from(JSON.stringify(scrubber.json(value.json))) };
}

function parse(text: string): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
