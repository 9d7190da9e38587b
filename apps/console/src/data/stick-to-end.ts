// Keeps a growing page or box, such as a conversation or a log, scrolled to its end while the reader is there.

import { useEffect, useLayoutEffect, useRef, type RefObject, type UIEvent } from "react";

/** The reader counts as being at the end within this many pixels. */
const endTolerancePx = 160;
const boxTolerancePx = 40;

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

interface BoxProps {
  readonly ref: RefObject<HTMLPreElement | null>;
  readonly onScroll: (event: UIEvent) => void;
}

/** Returns the properties of a box that scrolls to its end while `isGrowing`, unless the reader has scrolled up. */
export function useBoxAtEnd(content: unknown, isGrowing: boolean): BoxProps {
  const ref = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (isGrowing && isAtEnd.current) ref.current?.scrollTo(0, ref.current.scrollHeight);
  }, [content, isGrowing]);
  const onScroll = ({ currentTarget: { scrollHeight, clientHeight, scrollTop } }: UIEvent): void => {
    isAtEnd.current = scrollHeight - clientHeight - scrollTop < boxTolerancePx;
  };
  return { ref, onScroll };
}
