// A page that grows at its end, such as a conversation, stays at its end while the reader is there.

import { useEffect, useRef } from "react";

/** Pixels from the end within which the reader counts as being there. */
const nearEnd = 160;

/** Scrolls to the end when `content` changes, unless the reader has gone up to read. Starts at the end. */
export function useStickToEnd(content: unknown): void {
  const isAtEnd = useRef(true);
  useEffect(() => {
    const look = (): void => {
      const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
      isAtEnd.current = scrollHeight - clientHeight - scrollTop < nearEnd;
    };
    addEventListener("scroll", look, { passive: true });
    return () => removeEventListener("scroll", look);
  }, []);
  useEffect(() => {
    if (isAtEnd.current) scrollTo(0, document.documentElement.scrollHeight);
  }, [content]);
}
