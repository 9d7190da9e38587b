// Writes a stream of server-sent events. Knows the wire, no noun.

import type { StreamItem } from "@dari/control/outbound";
import { limits } from "@dari/domain";
import type { Response } from "express";
import { once } from "node:events";
import type { CallSettings } from "./call.ts";

/** Browsers wait this long before they connect again, milliseconds. */
const reconnectMs = 1_000;
/** How long what was written may be on its way before its reader counts as slow. Milliseconds. */
const briefMs = 1_000;

export interface SendOptions {
  readonly response: Response;
  readonly settings: Pick<CallSettings, "heartbeatMs" | "stalledMs">;
  /** Counts bytes that wait for a slow reader; undefined when they are too many. */
  readonly hold: (bytes: number) => (() => void) | undefined;
}

/**
 * Sends items until they end or the client is gone. An event has its number as `id`, so that `Last-Event-ID` goes on
 * after it; previews have none; comments keep proxies from closing. A reader that takes nothing, or makes too much wait
 * for it, is cut off: it may resume.
 */
export async function sendEvents(items: AsyncGenerator<StreamItem, void, void>, options: SendOptions): Promise<void> {
  const { response, settings } = options;
  response.status(200).set({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    // nginx would hold pieces back.
    "x-accel-buffering": "no",
    // Kept open after its end, it would keep a server that drains from closing.
    connection: "close",
  });
  response.setTimeout(settings.stalledMs, () => response.destroy());
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  response.write(`retry: ${reconnectMs}\n\n`);
  const heartbeat = setInterval(() => {
    // A reader that has not taken what is there takes no comment either.
    if (!response.writableNeedDrain) response.write(": still here\n\n");
  }, settings.heartbeatMs);
  try {
    for await (const item of items) {
      if (response.destroyed) break;
      if (!response.write(render(item))) await drained(options);
    }
    response.end();
  } finally {
    clearInterval(heartbeat);
  }
}

function render(item: StreamItem): string {
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

/** A reader that is slow makes its own stream wait, and nobody else's. */
async function drained({ response, hold }: SendOptions): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  let timer: NodeJS.Timeout | undefined;
  let release: (() => void) | undefined;
  const flows = Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]);
  const brief = new Promise<"slow">((resolve) => (timer = setTimeout(resolve, briefMs, "slow")));
  try {
    if ((await Promise.race([flows, brief])) !== "slow") return;
    // The page that it is shown from waits with it.
    release = hold(Math.max(response.writableLength, limits.streamPageBytes));
    if (release === undefined) response.destroy();
    else await flows;
  } finally {
    clearTimeout(timer);
    release?.();
    over.abort();
  }
}
