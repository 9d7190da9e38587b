// Printed text in a box. A long text is cut at its beginning: only its last part is useful to read.

import { useLayoutEffect, useRef, type UIEvent } from "react";

const shownChars = 200_000;
/** The reader counts as being at the end within this many pixels. */
const nearEnd = 40;

interface LogProps {
  readonly text: string;
  readonly label: string;
  readonly empty?: string;
  /** True if more text will come. The box then stays scrolled to its end while the reader is there. */
  readonly isGrowing?: boolean;
}

export function Log({ text, label, empty = "Nothing.", isGrowing = false }: LogProps) {
  const element = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (isGrowing && isAtEnd.current) element.current?.scrollTo(0, element.current.scrollHeight);
  }, [text, isGrowing]);
  const look = ({ currentTarget: { scrollHeight, clientHeight, scrollTop } }: UIEvent): void => {
    isAtEnd.current = scrollHeight - clientHeight - scrollTop < nearEnd;
  };
  if (text === "") return <p className="faint">{empty}</p>;
  const cut = text.length - shownChars;
  return (
    <pre ref={element} className="log" tabIndex={0} role="region" aria-label={label} onScroll={look}>
      {cut > 0 && <span className="faint">{`… ${cut} characters before\n`}</span>}
      {cut > 0 ? text.slice(cut) : text}
    </pre>
  );
}
