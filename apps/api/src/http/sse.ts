// Writes a stream of server-sent events.

import type { StreamItem } from "@dari/control/outbound";
import { limits } from "@dari/domain";
import type { Response } from "express";
import { once } from "node:events";
import type { CallSettings } from "./call.ts";

/** How long browsers wait before they connect again, in milliseconds. */
const reconnectMs = 1_000;
/** What a stream keeps is counted in pieces of at least this size. */
const keptPieceBytes = 64 * 1_024;
/** A reader counts as slow if what was written is not sent after this many milliseconds. */
const briefMs = 1_000;

export interface SendOptions {
  readonly response: Response;
  readonly settings: Pick<CallSettings, "heartbeatMs" | "stalledMs">;
  /** Counts bytes that wait for a slow reader. Undefined if the process holds too many already. */
  readonly hold: (bytes: number) => (() => void) | undefined;
  /** Counts bytes that the stream keeps. Undefined if the process keeps too many already. */
  readonly keep: (bytes: number) => (() => void) | undefined;
  /** Returns the text of an item, which can be empty (default: the item as `/v1` shows it). */
  readonly render?: (item: StreamItem) => string;
  /** Returns the text that ends the stream after its last item (default: none). */
  readonly finish?: () => string;
  /** Returns how many bytes `render` keeps of the items so far (default: none). */
  readonly keptBytes?: () => number;
}

/**
 * Sends items until they end or the client disconnects. An event's `id` is its number, so that `Last-Event-ID`
 * continues after it; previews have no id. Comments keep proxies from closing the connection. A reader that accepts
 * nothing, or makes too many bytes wait, is disconnected and can resume. A stream that keeps too much is ended.
 */
export async function sendEvents(items: AsyncGenerator<StreamItem, void, void>, options: SendOptions): Promise<void> {
  const { response, settings, render = renderItem, finish } = options;
  response.status(200).set({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    // Otherwise nginx buffers the stream.
    "x-accel-buffering": "no",
    // A connection that stays open after the stream's end would keep a draining server from closing.
    connection: "close",
  });
  response.setTimeout(settings.stalledMs, () => response.destroy());
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  // OpenAI's Python client takes this field for an event without data.
  if (render === renderItem) response.write(`retry: ${reconnectMs}\n\n`);
  const kept = countKept(options);
  const heartbeat = setInterval(() => {
    // While the reader is behind, do not add comments.
    if (!response.writableNeedDrain) response.write(": still here\n\n");
  }, settings.heartbeatMs);
  try {
    for await (const item of items) {
      if (response.destroyed) break;
      const text = render(item);
      if (text !== "" && !response.write(text)) await waitForReader(options);
      if (!kept.fits()) break;
    }
    response.end(finish?.());
  } finally {
    clearInterval(heartbeat);
    kept.release();
  }
}

/** Counts what a stream keeps, until it is released. */
function countKept({ keep, keptBytes = () => 0 }: Pick<SendOptions, "keep" | "keptBytes">) {
  const releases: (() => void)[] = [];
  let counted = 0;
  return {
    /** Counts what was added since. Returns false if the process keeps too much already. */
    fits(): boolean {
      const added = keptBytes() - counted;
      if (added < keptPieceBytes) return true;
      const release = keep(added);
      if (release === undefined) return false;
      releases.push(release);
      counted += added;
      return true;
    },
    release(): void {
      for (const release of releases) release();
    },
  };
}

/** The texts of items. All listeners of a session get the same objects. */
const texts = new WeakMap<object, string>();

function renderItem(item: StreamItem): string {
  const key = item.kind === "event" ? item.event : item.preview;
  let text = texts.get(key);
  if (text === undefined) texts.set(key, (text = renderOnce(item)));
  return text;
}

function renderOnce(item: StreamItem): string {
  switch (item.kind) {
    case "event":
      return `id: ${item.event.sequence_number}\nevent: ${item.event.type}\ndata: ${JSON.stringify(item.event)}\n\n`;
    case "preview": {
      const { type, messageId, attemptId, data } = item.preview;
      const shown = { type, session_id: item.sessionId, message_id: messageId, attempt_id: attemptId, data };
      return `event: ${type}\ndata: ${JSON.stringify(shown)}\n\n`;
    }
  }
}

/** Waits for a slow reader. Only its own stream waits. */
export async function waitForReader({ response, hold }: Pick<SendOptions, "response" | "hold">): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  let timer: NodeJS.Timeout | undefined;
  let release: (() => void) | undefined;
  const flows = Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]);
  const brief = new Promise<"slow">((resolve) => (timer = setTimeout(resolve, briefMs, "slow")));
  try {
    if ((await Promise.race([flows, brief])) !== "slow") return;
    // The page of events that is being sent stays in memory too.
    release = hold(Math.max(response.writableLength, limits.streamPageBytes));
    if (release === undefined) response.destroy();
    else await flows;
  } finally {
    clearTimeout(timer);
    release?.();
    over.abort();
  }
}
