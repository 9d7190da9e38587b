// Keeps a growing page, such as a conversation, scrolled to its end while the reader is there.

import { useEffect, useRef } from "react";

/** The reader counts as being at the end within this many pixels. */
const endTolerancePx = 160;

/** Scrolls to the end at first, and when `content` changes, unless the reader has scrolled up. */
export function useStickToEnd(content: unknown): void {
  const isAtEnd = useRef(true);
  useEffect(() => {
    const updateIsAtEnd = (): void => {
      const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
      isAtEnd.current = scrollHeight - clientHeight - scrollTop < endTolerancePx;
    };
    addEventListener("scroll", updateIsAtEnd, { passive: true });
    return () => removeEventListener("scroll", updateIsAtEnd);
  }, []);
  useEffect(() => {
    if (isAtEnd.current) scrollTo(0, document.documentElement.scrollHeight);
  }, [content]);
}
