// Keeps a person from pressing a button that has just come under the pointer: a page of another site can open this one
// between the two clicks of a double-click.

import { useEffect, useState } from "react";

/** How long the button must be in front before the person can press it, in milliseconds. */
const settleMs = 1_000;

/**
 * Returns whether the page has been visible and focused for a second since its caller was first shown. Starts again
 * when the page gets the focus.
 */
export function useSettled(): boolean {
  const [isSettled, setSettled] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const restart = (): void => {
      clearTimeout(timer);
      setSettled(false);
      if (document.visibilityState !== "visible" || !document.hasFocus()) return;
      timer = setTimeout(() => setSettled(true), settleMs);
    };
    restart();
    const events = ["focus", "blur"] as const;
    for (const event of events) addEventListener(event, restart);
    document.addEventListener("visibilitychange", restart);
    return () => {
      clearTimeout(timer);
      for (const event of events) removeEventListener(event, restart);
      document.removeEventListener("visibilitychange", restart);
    };
  }, []);
  return isSettled;
}
