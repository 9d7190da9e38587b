// An action of a person: runs at most once at a time, and shows its error next to the control.

import { useCallback, useRef, useState } from "react";

export interface Action<Args extends readonly unknown[]> {
  readonly run: (...args: Args) => void;
  readonly isRunning: boolean;
  readonly error: unknown;
  readonly clear: () => void;
}

/** Runs `perform`. Calls are ignored until it has settled. */
export function useAction<Args extends readonly unknown[]>(perform: (...args: Args) => Promise<void>): Action<Args> {
  const [state, setState] = useState<{ isRunning: boolean; error: unknown }>({ isRunning: false, error: undefined });
  const running = useRef(false);
  const latest = useRef(perform);
  latest.current = perform;
  const run = useCallback((...args: Args) => {
    if (running.current) return;
    running.current = true;
    setState({ isRunning: true, error: undefined });
    latest
      .current(...args)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .then((error) => {
        running.current = false;
        setState({ isRunning: false, error });
      })
      .catch(() => undefined);
  }, []);
  const clear = useCallback(() => setState((old) => ({ ...old, error: undefined })), []);
  return { run, clear, ...state };
}
