// A moment relative to now, kept up to date. The title has the exact time.

import { useSyncExternalStore } from "react";
import { agoText, momentText } from "../data/format.ts";

/** How often the text of a moment is updated, in milliseconds. */
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
