// Printed text in a box. A long text is cut at its beginning: only its last part is useful to read.

import { useBoxAtEnd } from "../data/stick-to-end.ts";

const shownChars = 200_000;

interface LogProps {
  readonly text: string;
  readonly label: string;
  readonly empty?: string;
  /** True if more text will come. The box then stays scrolled to its end while the reader is there. */
  readonly isGrowing?: boolean;
}

export function Log({ text, label, empty = "Nothing.", isGrowing = false }: LogProps) {
  const box = useBoxAtEnd(text, isGrowing);
  if (text === "") return <p className="faint">{empty}</p>;
  const cut = text.length - shownChars;
  return (
    <pre {...box} className="log" tabIndex={0} role="region" aria-label={label}>
      {cut > 0 && <span className="faint">{`… ${cut} characters before\n`}</span>}
      {cut > 0 ? text.slice(cut) : text}
    </pre>
  );
}
