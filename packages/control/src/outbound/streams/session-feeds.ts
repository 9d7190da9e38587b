// The sessions that this process's listeners watch, and the listeners' keys. A few queries a second check all of them.
// In between, notifications say which session to read.

import type { SessionFeed, SessionFeeds } from "@dari/control/context";
import { readEventsCoalesced } from "@dari/control/turns";
import { apiKeys, events, sessionTokens, sessions, signIns, type Database, type SessionTokenClaims } from "@dari/db";
import { createListeners, isId, type Log, type Notifier, type Previews } from "@dari/domain";
import { createSessionFeed } from "./session-feed.ts";

const defaultPollMs = 1_000;
const pollChunk = 1_000;
const readLimit = 200;
/** How long events stay in memory, in milliseconds. */
const recentMs = 10_000;

interface Entry {
  readonly organizationId: string;
  readonly feed: SessionFeed;
  readonly stop: () => void;
  watchers: number;
}

export interface FeedsContext {
  readonly db: Database;
  readonly notifier: Notifier;
  readonly previews: Previews;
  readonly log: Log;
  /** Maximum delay if a notification is lost, in milliseconds (default 1,000). */
  readonly pollMs?: number;
}

export function createSessionFeeds(context: FeedsContext): SessionFeeds {
  const entries = new Map<string, Entry>();
  const keyIds = new Set<string>();
  const tokens = new Map<string, SessionTokenClaims>();
  const revocations = createListeners<void>({
    onFirst: (keyId) => keyIds.add(keyId),
    onLast: (keyId) => {
      keyIds.delete(keyId);
      tokens.delete(keyId);
    },
  });
  const poll = createPoll(context.pollMs ?? defaultPollMs, async () => {
    await pollKeys(context, { keyIds, tokens }, (keyId) => revocations.call(keyId, undefined));
    await pollSessions(context, entries);
  });

  return {
    async watch(db, { organizationId, keyId, keySignInId, sessionToken }, sessionId, onRevoked) {
      let entry = entries.get(sessionId);
      // Check the organization: a session that others watch is not visible to everyone.
      if (entry !== undefined && !(entry.organizationId === organizationId && entry.feed.exists)) return undefined;
      if (entry === undefined) {
        const start = await sessions.findLastEventNumber(db, organizationId, sessionId);
        if (start === undefined) return undefined;
        // Another listener may have created the entry in the meantime.
        entry = entries.get(sessionId) ?? openEntry({ ...context, db }, { organizationId, sessionId, start });
        entries.set(sessionId, entry);
        poll.start();
      }
      const watched = entry;
      watched.watchers += 1;
      if (sessionToken !== undefined) tokens.set(keyId, sessionToken);
      const stopKey = revocations.add(keySignInId ?? keyId, onRevoked);
      let released = false;
      return {
        feed: watched.feed,
        release() {
          if (released) return;
          released = true;
          stopKey();
          watched.watchers -= 1;
          if (watched.watchers > 0) return;
          watched.stop();
          if (entries.get(sessionId) === watched) entries.delete(sessionId);
          if (entries.size === 0) poll.stop();
        },
      };
    },
  };
}

/** Calls `work` every `everyMs` while started, one call at a time. */
function createPoll(everyMs: number, work: () => Promise<void>) {
  let timer: NodeJS.Timeout | undefined;
  let working = false;
  return {
    start(): void {
      timer ??= setInterval(() => {
        if (working) return;
        working = true;
        void work().finally(() => (working = false));
      }, everyMs).unref();
    },
    stop(): void {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

function openEntry(
  context: FeedsContext,
  of: { readonly organizationId: string; readonly sessionId: string; readonly start: number },
): Entry {
  // Each query serves many listeners, and only one runs at a time, so it gets priority over queries of calls.
  const db = context.db.forOrganization(of.organizationId, { ahead: true });
  const feed = createSessionFeed(of.start, (after) =>
    readEventsCoalesced(db, { ...of, afterSequenceNumber: after, limit: readLimit }),
  );
  const look = (): void => void feed.look().catch((error: unknown) => noteFailure(context, error));
  const stops = [
    context.notifier.subscribe("session", of.sessionId, look),
    context.previews.follow(of.sessionId, feed.takePreview),
  ];
  // An event that was committed between `start` and here was not notified.
  look();
  return { organizationId: of.organizationId, feed, watchers: 0, stop: () => stops.forEach((stop) => stop()) };
}

async function pollSessions(context: FeedsContext, entries: ReadonlyMap<string, Entry>): Promise<void> {
  const before = performance.now() - recentMs;
  for (const { feed } of entries.values()) feed.forget(before);
  for (const ids of chunksOf([...entries.keys()])) {
    try {
      const numbers = await events.listLastNumbers(context.db, ids);
      for (const id of ids) {
        const feed = entries.get(id)?.feed;
        const last = numbers.get(id);
        if (feed === undefined) continue;
        if (last === undefined) feed.markDeleted();
        // A session that cannot be read must not block the others.
        else if (last > feed.lastNumber) await feed.look().catch((error: unknown) => noteFailure(context, error));
      }
    } catch (error) {
      noteFailure(context, error);
    }
  }
}

async function pollKeys(
  context: FeedsContext,
  {
    keyIds,
    tokens,
  }: { readonly keyIds: ReadonlySet<string>; readonly tokens: ReadonlyMap<string, SessionTokenClaims> },
  revoke: (keyId: string) => void,
): Promise<void> {
  for (const ids of chunksOf([...tokens.keys()])) {
    try {
      const states = await sessionTokens.listTokenStates(
        context.db,
        ids.flatMap((id) => tokens.get(id) ?? []),
      );
      const usable = new Set(states.flatMap(({ id, isLive, leftMs }) => (isLive && leftMs > 0 ? [id] : [])));
      revokeOthers(ids, usable, revoke);
    } catch (error) {
      noteFailure(context, error);
    }
  }
  for (const ids of chunksOf([...keyIds].filter((id) => !tokens.has(id)))) {
    try {
      const [keys, people] = [ids.filter((id) => !isId("signIn", id)), ids.filter((id) => isId("signIn", id))];
      if (keys.length > 0) revokeOthers(keys, await apiKeys.listUsableKeyIds(context.db, keys), revoke);
      if (people.length > 0) revokeOthers(people, await signIns.listUsableSignInIds(context.db, people), revoke);
    } catch (error) {
      noteFailure(context, error);
    }
  }
}

function revokeOthers(ids: readonly string[], usable: ReadonlySet<string>, revoke: (keyId: string) => void): void {
  for (const id of ids) if (!usable.has(id)) revoke(id);
}

function* chunksOf(ids: readonly string[]): Generator<readonly string[]> {
  for (let from = 0; from < ids.length; from += pollChunk) yield ids.slice(from, from + pollChunk);
}

/** Logs a failure. The next poll tries again. */
function noteFailure(context: FeedsContext, error: unknown): void {
  context.log.warn({ err: error }, "stream.read_failed");
}
