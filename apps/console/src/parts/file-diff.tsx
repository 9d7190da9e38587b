// The changed lines of one file, which can be folded.

import type { DiffFile } from "../data/diff.ts";

/** How many lines are drawn. */
const linesShown = 2_000;

export function FileDiff({
  file: { name, lines, added, removed },
  isOpen,
}: {
  readonly file: DiffFile;
  readonly isOpen: boolean;
}) {
  return (
    <details open={isOpen}>
      <summary>
        <code>{name}</code> <span className="added">+{added}</span> <span className="removed">−{removed}</span>
      </summary>
      <pre className="log" tabIndex={0} role="region" aria-label={name}>
        {lines.slice(0, linesShown).map(({ kind, text }, index) => (
          <span key={index} className={kind}>
            {text}
          </span>
        ))}
        {lines.length > linesShown && <span className="faint">{`… ${lines.length - linesShown} more lines`}</span>}
      </pre>
    </details>
  );
}
