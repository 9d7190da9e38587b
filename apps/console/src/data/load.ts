// Loads a value, or a list page by page, with the state that a page shows while it loads.

import { ApiError, type Page, type PageQuery } from "@dari/client";
import { limits } from "@dari/domain";
import { useCallback, useEffect, useRef, useState } from "react";
import { useAccount, type Account } from "./account.ts";
import { currentStep } from "./route.ts";

export interface Loaded<Value> {
  readonly value: Value | undefined;
  readonly error: unknown;
  /** Loads again. The current value is shown until the answer comes. */
  readonly reload: () => void;
}

interface LoadOptions<Value> {
  /**
   * Pause before the value is loaded again while the page is visible, also after a temporary failure, in milliseconds;
   * undefined: never.
   */
  readonly againAfterMs?: (value: Value) => number | undefined;
}

/** Loads when `key` changes. A value of another key is never shown. */
export function useLoaded<Value>(
  key: string,
  load: (signal: AbortSignal) => Promise<Value>,
  { againAfterMs }: LoadOptions<Value> = {},
): Loaded<Value> {
  const [state, setState] = useState<{ key: string; value?: Value | undefined; error?: unknown }>({ key });
  const [round, setRound] = useState(0);
  const latest = useRef({ load, againAfterMs });
  latest.current = { load, againAfterMs };
  const held = useRef<{ readonly key: string; readonly value: Value } | undefined>(undefined);
  useEffect(() => {
    const leaving = new AbortController();
    let stop: (() => void) | undefined;
    const lookAgain = (value: Value): void => {
      const afterMs = latest.current.againAfterMs?.(value);
      if (afterMs !== undefined) stop = runVisible(afterMs, () => setRound((count) => count + 1));
    };
    latest.current.load(leaving.signal).then(
      (value) => {
        if (leaving.signal.aborted) return;
        held.current = { key, value };
        setState({ key, value });
        lookAgain(value);
      },
      (error: unknown) => {
        if (leaving.signal.aborted) return;
        const before = held.current?.key === key ? held.current : undefined;
        setState({ key, value: before?.value, error });
        if (before !== undefined && isPassing(error)) lookAgain(before.value);
      },
    );
    return () => {
      leaving.abort();
      stop?.();
    };
  }, [key, round]);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  return state.key === key
    ? { value: state.value, error: state.error, reload }
    : { value: undefined, error: undefined, reload };
}

/** Returns whether another try can succeed. A refusal is final. */
export function isPassing(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status >= 500 || error.status === 429;
}

/** Loads again whenever `sign` changes. */
export function useReloadOn(sign: unknown, reload: () => void): void {
  const seen = useRef(sign);
  useEffect(() => {
    if (seen.current !== sign) reload();
    seen.current = sign;
  }, [sign, reload]);
}

export interface LoadedList<Row> {
  /** Undefined until the first page is loaded. */
  readonly rows: readonly Row[] | undefined;
  readonly error: unknown;
  /** Loads the next page; undefined at the end. */
  readonly more: (() => void) | undefined;
  readonly reload: () => void;
}

/**
 * Loads a list again while it is about to change, `everyMs` after the previous answer, so that a slow answer is waited
 * for.
 */
export function useReloadWhile<Row>(
  isChanging: boolean,
  everyMs: number,
  { rows, error, reload }: LoadedList<Row>,
): void {
  useEffect(() => {
    if (!isChanging || (error !== undefined && !isPassing(error))) return;
    const timer = setTimeout(reload, everyMs);
    return () => clearTimeout(timer);
  }, [isChanging, everyMs, rows, error, reload]);
}

/**
 * Loads a list again, `everyMs` after the previous answer, while the page is visible. One open page costs the platform
 * one query for each answer.
 */
export function useLive<Row>(everyMs: number, { rows, error, reload }: LoadedList<Row>): void {
  useEffect(() => {
    if (error !== undefined && !isPassing(error)) return;
    return runVisible(everyMs, reload);
  }, [everyMs, rows, error, reload]);
}

/** Calls `look` after `ms`, or later, as soon as the page is visible. Returns a function that prevents the call. */
function runVisible(ms: number, look: () => void): () => void {
  const timer = setTimeout(() => {
    if (document.visibilityState === "visible") look();
    else document.addEventListener("visibilitychange", look, { once: true });
  }, ms);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

const pageRows = 50;
/** Calls for one page. A search can find nothing in several answers. */
const callsMax = 10;

/** Loads a list page by page. Going back shows the earlier rows at once, while they are loaded again. */
export function useList<Row>(key: string, load: (page: PageQuery) => Promise<Page<Row>>): LoadedList<Row> {
  const [seen, keep] = useSeen<PagesRead<Row>>(key);
  const [pages, setPages] = useState<{ key: string; count: number }>({ key, count: seen?.pages ?? 1 });
  const count = pages.key === key ? pages.count : 1;
  const { value, error, reload } = useLoaded(`${key} ${count}`, () => loadPages(load, count));
  const shown = useRef(seen && { key, list: seen });
  useEffect(() => value && keep(value), [value, keep]);
  if (value !== undefined) shown.current = { key, list: value };
  // The earlier pages are shown while the next one is loaded.
  const list = value ?? (shown.current?.key === key ? shown.current.list : undefined);
  const more = list?.hasMore === true ? () => setPages({ key, count: count + 1 }) : undefined;
  return { rows: list?.rows, error, more, reload };
}

/** How many lists are kept for going back. */
const listsKept = 20;
const seenBy = new WeakMap<Account, Map<string, unknown>>();

/** Returns the list as it was at this step of the browser's history, and a function that stores it until sign-out. */
function useSeen<List>(key: string): readonly [List | undefined, (list: List) => void] {
  const account = useAccount();
  const seen = seenBy.get(account) ?? new Map<string, unknown>();
  seenBy.set(account, seen);
  const [step] = useState(currentStep);
  const name = `${step} ${key}`;
  const keep = useCallback(
    (list: List): void => {
      seen.delete(name);
      seen.set(name, list);
      for (const oldest of [...seen.keys()].slice(0, -listsKept)) seen.delete(oldest);
    },
    [seen, name],
  );
  return [seen.get(name) as List | undefined, keep];
}

interface PagesRead<Row> {
  readonly rows: readonly Row[];
  readonly pages: number;
  readonly hasMore: boolean;
}

async function loadPages<Row>(load: (page: PageQuery) => Promise<Page<Row>>, count: number): Promise<PagesRead<Row>> {
  const rows: Row[] = [];
  const wanted = count * pageRows;
  let after: string | null = null;
  let calls = 0;
  do {
    const limit = Math.min(wanted - rows.length, limits.listLimitMax);
    const page: Page<Row> = await load(after === null ? { limit } : { limit, after });
    rows.push(...page.data);
    after = page.next;
    calls += 1;
  } while (after !== null && rows.length < wanted && calls < callsMax * count);
  return { rows, pages: count, hasMore: after !== null };
}
