// One session's events for all listeners of this process. Reads them once for all, and keeps the newest, so that a
// listener that is nearly up to date needs no query.

import type { EventRecord } from "@dari/contract";
import type { PositionedPreview, SessionFeed } from "@dari/control/context";
import { createListeners, type Preview } from "@dari/domain";

/** Limits of the buffer: events, and their size as JSON. */
const recentMax = 200;
const recentBytesMax = 1024 * 1024;
/** Attempts that are remembered as running or ended. */
const attemptsMax = 100;
/** Previews that wait until their attempt is found. The oldest are dropped. */
const unplacedMax = 256;

export function createSessionFeed(
  start: number,
  readAfter: (sequenceNumber: number) => Promise<{ events: readonly EventRecord[]; more: boolean }>,
): SessionFeed {
  const recent = createRecent(start);
  const attempts = createAttempts();
  const changes = createListeners<void>();
  const previews = createListeners<PositionedPreview>();
  let exists = true;
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  const lookOnce = async (): Promise<void> => {
    do {
      lookAgain = false;
      const page = await readAfter(recent.lastNumber);
      for (const event of page.events) {
        recent.add(event);
        attempts.note(event);
      }
      if (page.events.length > 0) changes.call("", undefined);
      if (page.more) lookAgain = true;
    } while (lookAgain);
  };
  const look = (): Promise<void> => {
    lookAgain = true;
    looking ??= lookOnce().finally(() => {
      looking = undefined;
      // Requested during the query.
      if (lookAgain) return look();
    });
    return looking;
  };
  const takePreview = createPlacing({
    look,
    attempts,
    place: (preview) => previews.call("", { preview, afterSequenceNumber: recent.lastNumber }),
  });

  return {
    get lastNumber() {
      return recent.lastNumber;
    },
    get exists() {
      return exists;
    },
    recentAfter: recent.after,
    look,
    forget: recent.forget,
    markDeleted() {
      exists = false;
      changes.call("", undefined);
    },
    changes,
    previews,
    takePreview,
  };
}

/** Places previews in their order, each after the event that started its attempt. */
function createPlacing(into: {
  readonly look: () => Promise<void>;
  readonly attempts: ReturnType<typeof createAttempts>;
  readonly place: (preview: Preview) => void;
}): (preview: Preview) => void {
  const { look, attempts } = into;
  let unplaced: Preview[] = [];
  const lookedFor = new Set<string>();
  const place = (preview: Preview): void => {
    // A late preview of an ended attempt would look like one of the next attempt.
    if (!attempts.isOver(preview.attemptId)) into.place(preview);
  };
  const settle = (found: boolean): void => {
    // An attempt that is not found among the new events started before this feed.
    if (found) for (const id of lookedFor) attempts.assumeRunning(id);
    lookedFor.clear();
    const previews = unplaced;
    unplaced = [];
    if (found) for (const preview of previews) place(preview);
  };
  return (preview) => {
    const { attemptId } = preview;
    if (unplaced.length === 0 && attempts.isKnown(attemptId)) return place(preview);
    unplaced.push(preview);
    if (unplaced.length > unplacedMax) unplaced.shift();
    if (attempts.isKnown(attemptId) || lookedFor.has(attemptId)) return;
    // The event that started its attempt was committed before, and must be shown before.
    lookedFor.add(attemptId);
    void look().then(
      () => settle(true),
      () => settle(false),
    );
  };
}

function createRecent(start: number) {
  const kept: { event: EventRecord; bytes: number; readAt: number }[] = [];
  let bytes = 0;
  let lastNumber = start;
  const drop = (): void => void (bytes -= kept.shift()?.bytes ?? 0);
  return {
    get lastNumber() {
      return lastNumber;
    },
    add(event: EventRecord): void {
      const size = JSON.stringify(event).length;
      kept.push({ event, bytes: size, readAt: performance.now() });
      bytes += size;
      lastNumber = event.sequence_number;
      while (kept.length > recentMax || (bytes > recentBytesMax && kept.length > 1)) drop();
    },
    forget(before: number): void {
      while (kept[0] !== undefined && kept[0].readAt < before) drop();
    },
    after(sequenceNumber: number): readonly EventRecord[] | undefined {
      if (sequenceNumber >= lastNumber) return [];
      const first = kept[0]?.event.sequence_number;
      if (first === undefined || first > sequenceNumber + 1) return undefined;
      return kept.slice(sequenceNumber + 1 - first).map((one) => one.event);
    },
  };
}

function createAttempts() {
  const isOverById = new Map<string, boolean>();
  const set = (id: string, isOver: boolean): void => {
    isOverById.set(id, isOver);
    for (const oldest of isOverById.keys()) {
      if (isOverById.size <= attemptsMax) break;
      isOverById.delete(oldest);
    }
  };
  return {
    note(event: EventRecord): void {
      const { attempt_id: id } = event;
      if (id === undefined) return;
      set(id, event.type === "attempt.ended" || isOverById.get(id) === true);
    },
    assumeRunning(id: string): void {
      if (!isOverById.has(id)) set(id, false);
    },
    isKnown: (id: string): boolean => isOverById.has(id),
    isOver: (id: string): boolean => isOverById.get(id) === true,
  };
}
