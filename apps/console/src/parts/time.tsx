// A moment, said relative to now and kept so; the exact time is in its title.

import { useSyncExternalStore } from "react";
import { agoText, momentText } from "../data/format.ts";

/** Milliseconds after which what is said of a moment may be another thing. */
const tickMs = 15_000;

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let now = Date.now();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const one of listeners) one();
  }, tickMs);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export function Ago({ time }: { readonly time: string | null }) {
  const tick = useSyncExternalStore(subscribe, () => now);
  if (time === null) return <span className="faint">never</span>;
  return (
    <time dateTime={time} title={momentText(time)}>
      {agoText(time, Math.max(tick, Date.now()))}
    </time>
  );
}
