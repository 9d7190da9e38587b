// The files that a turn changed, and on request their diff.

import type { FileChange } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { readDiff } from "../../data/diff.ts";
import { sizeText } from "../../data/format.ts";
import { useLoaded } from "../../data/load.ts";
import { FileDiff } from "../../parts/file-diff.tsx";
import { ErrorNote, Loading } from "../../parts/notes.tsx";

const marks = { created: "+", modified: "~", deleted: "−" } as const;
/** How many changed files are named. */
const filesShown = 20;
/** With more changed files, their diffs are folded at first. */
const openAtMost = 3;

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
  const { value, error, reload } = useLoaded(messageId, (signal) => client.getMessageDiff(messageId, { signal }));
  if (error !== undefined) return <ErrorNote error={error} retry={reload} />;
  if (value === undefined) return <Loading />;
  if (value === "") return <p className="faint">No text changed.</p>;
  const files = readDiff(value);
  return (
    <div className="diff" role="region" aria-label="Diff">
      {files.map((file) => (
        <FileDiff key={file.name} file={file} isOpen={files.length <= openAtMost} />
      ))}
    </div>
  );
}
