// A session's events as an endless sequence, with previews between them.

import type { EventRecord } from "@dari/contract";
import type { Actor, Control, PositionedPreview, SessionFeed } from "@dari/control/context";
import { readEvents } from "@dari/control/turns";
import { createWakeSignal, limits, notFound, type Preview } from "@dari/domain";

export type StreamItem =
  | { readonly kind: "event"; readonly event: EventRecord }
  | { readonly kind: "preview"; readonly sessionId: string; readonly preview: Preview };

export interface FollowOptions {
  /** Undefined: only what happens from now on. */
  readonly afterSequenceNumber: number | undefined;
  readonly signal: AbortSignal;
  /** Opens the stream even above the limit, because it was already promised. */
  readonly promised?: boolean;
  /** The caller has taken the stream's place, and gives it back. */
  readonly isCounted?: boolean;
}

/** Previews that are buffered for a slow listener. The oldest are dropped. */
const previewsMax = 256;
const pageLimit = 200;

/**
 * Opens the stream: every event after a number once and in order, each preview at most once, until `signal` aborts, the
 * session is deleted, or the caller's key becomes invalid. Existing events are delivered even if `signal` has aborted.
 * @throws AppError `not_found`; `limit_exceeded` if the process or the organization has too many streams open.
 */
export async function followSession(
  control: Control,
  actor: Actor,
  sessionId: string,
  options: FollowOptions,
): Promise<AsyncGenerator<StreamItem, void, void>> {
  const { organizationId, sessionToken } = actor;
  const isFree = options.promised === true || options.isCounted === true;
  if (!isFree) control.streams.check(organizationId, sessionToken?.id);
  const leave = options.isCounted === true ? () => undefined : control.streams.take(organizationId, sessionToken?.id);
  const revoked = new AbortController();
  try {
    const watched = await control.feeds.watch(control.db, actor, sessionId, () => revoked.abort());
    if (watched === undefined) throw notFound("session");
    const { feed } = watched;
    const readAfter = async (afterSequenceNumber: number): Promise<readonly EventRecord[]> => {
      const from = { organizationId, sessionId, afterSequenceNumber };
      return (await readEvents(control.db, { ...from, limit: pageLimit, maxBytes: limits.streamPageBytes })).rows;
    };
    const release = (): void => {
      watched.release();
      leave();
    };
    const signal = AbortSignal.any([options.signal, revoked.signal]);
    const showsLogs = sessionToken === undefined;
    return items({ feed, sessionId, readAfter, release, showsLogs }, { ...options, signal });
  } catch (error) {
    leave();
    throw error;
  }
}

interface Watched {
  readonly feed: SessionFeed;
  readonly sessionId: string;
  readonly readAfter: (sequenceNumber: number) => Promise<readonly EventRecord[]>;
  readonly release: () => void;
  /** Whether previews of what the agent prints are shown. Session tokens cannot read its logs either. */
  readonly showsLogs: boolean;
}

async function* items(watched: Watched, options: FollowOptions): AsyncGenerator<StreamItem, void, void> {
  const { feed, sessionId, readAfter, showsLogs } = watched;
  const { signal } = options;
  const bell = createWakeSignal();
  const waiting: PositionedPreview[] = [];
  const stops = [
    feed.changes.add("", bell.ring),
    feed.previews.add("", (preview) => {
      if (preview.preview.type === "log" && !showsLogs) return;
      waiting.push(preview);
      if (waiting.length > previewsMax) waiting.shift();
      bell.ring();
    }),
  ];
  // Read once: the signal combines several others and checks all of them at each access.
  let isOver = signal.aborted;
  const end = (): void => {
    isOver = true;
    bell.ring();
  };
  signal.addEventListener("abort", end);
  let position = options.afterSequenceNumber ?? feed.lastNumber;
  let shown = 0;
  const duePreviews = function* (): Generator<StreamItem> {
    while (waiting[0] !== undefined && waiting[0].afterSequenceNumber <= position) {
      const { preview } = waiting.shift() as PositionedPreview;
      shown += 1;
      yield { kind: "preview", sessionId, preview };
    }
  };
  try {
    do {
      shown = 0;
      for (const event of feed.recentAfter(position) ?? (await readAfter(position))) {
        // The feed places previews by the events that it has read. A listener ahead of the feed would show them too
        // late.
        if (event.sequence_number > feed.lastNumber) break;
        yield* duePreviews();
        position = event.sequence_number;
        shown += 1;
        yield { kind: "event", event };
      }
      yield* duePreviews();
      if (shown > 0) continue;
      if (!feed.exists) return;
      if (!isOver) await bell.wait();
    } while (!isOver);
  } finally {
    signal.removeEventListener("abort", end);
    for (const stop of stops) stop();
    watched.release();
  }
}
