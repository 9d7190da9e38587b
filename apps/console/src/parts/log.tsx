// Printed text in a box of its own. Long ones are cut at the front: a page of megabytes is of no use.

import { useLayoutEffect, useRef, type UIEvent } from "react";

const shownChars = 200_000;
/** Pixels from the end within which the reader counts as being there. */
const nearEnd = 40;

interface LogProps {
  readonly text: string;
  readonly label: string;
  readonly empty?: string;
  /** More is to come: its end stays in sight while the reader is there. */
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
