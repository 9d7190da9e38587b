// The files that a turn changed, and on request their diff.

import type { FileChange } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { readDiff } from "../../data/diff.ts";
import { sizeText } from "../../data/format.ts";
import { useLoaded } from "../../data/load.ts";
import { ErrorNote, Loading } from "../../parts/notes.tsx";

const marks = { created: "+", modified: "~", deleted: "−" } as const;
/** How many changed files are named, and how many lines of a diff are drawn. */
const filesShown = 20;
const linesShown = 2_000;

interface ChangesProps {
  readonly messageId: string;
  readonly filesChanged: readonly FileChange[];
  readonly canDiff: boolean;
}

export function Changes({ messageId, filesChanged, canDiff }: ChangesProps) {
  const [isOpen, setOpen] = useState(false);
  if (filesChanged.length === 0) return null;
  const hidden = filesChanged.length - filesShown;
  return (
    <>
      <ul className="chips" aria-label="Changed files">
        {filesChanged.slice(0, filesShown).map(({ path, change, size_bytes: size }) => (
          <li key={path} className={`tag ${change}`} title={change}>
            <span className="mark">{marks[change]}</span> {path} <span className="faint">{sizeText(size)}</span>
          </li>
        ))}
        {hidden > 0 && <li className="faint">and {hidden} more</li>}
      </ul>
      {canDiff && (
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>Diff</summary>
          {isOpen && <Diff messageId={messageId} />}
        </details>
      )}
    </>
  );
}

/** A turn's unified diff. */
export function Diff({ messageId }: { readonly messageId: string }) {
  const { client } = useAccount();
  const { value, error, reload } = useLoaded(messageId, (signal) => client.messageDiff(messageId, { signal }));
  if (error !== undefined) return <ErrorNote error={error} retry={reload} />;
  if (value === undefined) return <Loading />;
  if (value === "") return <p className="faint">No text changed.</p>;
  const lines = readDiff(value);
  return (
    <pre className="log diff" tabIndex={0} role="region" aria-label="Diff">
      {lines.slice(0, linesShown).map(({ kind, text }, index) => (
        <span key={index} className={kind}>
          {text}
        </span>
      ))}
      {lines.length > linesShown && <span className="faint">{`… ${lines.length - linesShown} more lines`}</span>}
    </pre>
  );
}
