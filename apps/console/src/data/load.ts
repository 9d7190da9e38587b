// Loading: one value, or a list page by page, with the state that a page shows meanwhile.

import type { Page, PageQuery } from "@dari/client";
import { useCallback, useEffect, useRef, useState } from "react";

export interface Loaded<Value> {
  readonly value: Value | undefined;
  readonly error: unknown;
  /** Loads again; what is shown stays until the answer comes. */
  readonly reload: () => void;
}

interface LoadOptions<Value> {
  /** Milliseconds after which a value is loaded again; undefined: not by itself. */
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
  useEffect(() => {
    const leaving = new AbortController();
    let timer: number | undefined;
    latest.current.load(leaving.signal).then(
      (value) => {
        if (leaving.signal.aborted) return;
        setState({ key, value });
        const afterMs = latest.current.againAfterMs?.(value);
        if (afterMs !== undefined) timer = window.setTimeout(() => setRound((count) => count + 1), afterMs);
      },
      (error: unknown) => {
        if (!leaving.signal.aborted)
          setState((old) => ({ key, value: old.key === key ? old.value : undefined, error }));
      },
    );
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [key, round]);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  return state.key === key
    ? { value: state.value, error: state.error, reload }
    : { value: undefined, error: undefined, reload };
}

/** Loads again whenever `sign` changes: something that the list shows is another. */
export function useReloadOn(sign: unknown, reload: () => void): void {
  const seen = useRef(sign);
  useEffect(() => {
    if (seen.current !== sign) reload();
    seen.current = sign;
  }, [sign, reload]);
}

export interface LoadedList<Row> {
  /** Undefined until the first page is there. */
  readonly rows: readonly Row[] | undefined;
  readonly error: unknown;
  /** Loads the next page; undefined at the end. */
  readonly more: (() => void) | undefined;
  readonly reload: () => void;
}

/**
 * Loads a list again while something in it is about to change: `everyMs` after the answer before, so that one that
 * takes longer than that is waited for.
 */
export function useReloadWhile<Row>(
  isChanging: boolean,
  everyMs: number,
  { rows, error, reload }: LoadedList<Row>,
): void {
  useEffect(() => {
    if (!isChanging) return;
    const timer = setTimeout(reload, everyMs);
    return () => clearTimeout(timer);
  }, [isChanging, everyMs, rows, error, reload]);
}

const pageRows = 50;

/** A list that grows page by page. */
export function useList<Row>(key: string, load: (page: PageQuery) => Promise<Page<Row>>): LoadedList<Row> {
  const [pages, setPages] = useState<{ key: string; count: number }>({ key, count: 1 });
  const count = pages.key === key ? pages.count : 1;
  const { value, error, reload } = useLoaded(`${key} ${count}`, () => loadPages(load, count));
  const shown = useRef<{ key: string; list: PagesRead<Row> } | undefined>(undefined);
  if (value !== undefined) shown.current = { key, list: value };
  // A further page is being loaded: the ones before it stay.
  const list = value ?? (shown.current?.key === key ? shown.current.list : undefined);
  const more = list?.hasMore === true ? () => setPages({ key, count: count + 1 }) : undefined;
  return { rows: list?.rows, error, more, reload };
}

interface PagesRead<Row> {
  readonly rows: readonly Row[];
  readonly hasMore: boolean;
}

async function loadPages<Row>(load: (page: PageQuery) => Promise<Page<Row>>, count: number): Promise<PagesRead<Row>> {
  const rows: Row[] = [];
  let after: string | null = null;
  for (let number = 0; number < count; number++) {
    const page: Page<Row> = await load(after === null ? { limit: pageRows } : { limit: pageRows, after });
    rows.push(...page.data);
    after = page.next;
    if (after === null) break;
  }
  return { rows, hasMore: after !== null };
}
