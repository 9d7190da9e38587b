// The session's workspace as a tree that opens folder by folder.

import type { DirectoryEntry } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { sizeText } from "../../data/format.ts";
import { useLoaded } from "../../data/load.ts";
import { saveAs } from "../../data/save-as.ts";
import { ErrorNote, Loading } from "../../parts/notes.tsx";

interface FilesProps {
  readonly sessionId: string;
  /** Changes whenever the workspace may have changed. */
  readonly version: string;
  /** The path of the file that is shown. */
  readonly chosen: string | undefined;
  readonly onChoose: (entry: DirectoryEntry) => void;
}

export function Files(props: FilesProps) {
  const { sessionId } = props;
  const { client } = useAccount();
  const download = useAction(async () => {
    await saveAs(`${sessionId}.zip`, await client.getWorkspaceZip(sessionId));
  });
  return (
    <aside className="files" aria-label="Files">
      <header>
        <h2>Files</h2>
        <button type="button" className="quiet" onClick={download.run} disabled={download.isRunning}>
          Download all
        </button>
      </header>
      <ErrorNote error={download.error} />
      <Folder {...props} path="/" />
    </aside>
  );
}

interface FolderProps extends FilesProps {
  readonly path: string;
}

function Folder(props: FolderProps) {
  const { sessionId, path, version } = props;
  const { client } = useAccount();
  const [last, setLast] = useState<readonly DirectoryEntry[]>();
  const listing = useLoaded(`${path} ${version}`, async (signal) => {
    const { entries } = await client.listSessionFiles(sessionId, { path }, { signal });
    setLast(entries);
    return entries;
  });
  const entries = listing.value ?? last;
  if (listing.error !== undefined) return <ErrorNote error={listing.error} retry={listing.reload} />;
  if (entries === undefined) return <Loading />;
  if (entries.length === 0) return <p className="faint">{path === "/" ? "No files yet." : "Empty."}</p>;
  return (
    <ul className="tree">
      {entries.map((entry) => (
        <li key={entry.path}>
          {entry.type === "directory" ? (
            <Subfolder {...props} path={entry.path} />
          ) : (
            <FileRow {...props} entry={entry} />
          )}
        </li>
      ))}
    </ul>
  );
}

function Subfolder(props: FolderProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => event.target === event.currentTarget && setOpen(event.currentTarget.open)}>
      <summary>{leafOf(props.path)}/</summary>
      {isOpen && <Folder {...props} />}
    </details>
  );
}

function FileRow({ entry, chosen, onChoose }: FolderProps & { readonly entry: DirectoryEntry }) {
  return (
    <button
      type="button"
      className="file"
      aria-pressed={chosen === entry.path}
      disabled={entry.type === "symlink"}
      onClick={() => onChoose(entry)}
    >
      <span>{leafOf(entry.path)}</span>
      <span className="faint">{entry.type === "symlink" ? "link" : sizeText(entry.size_bytes)}</span>
    </button>
  );
}

function leafOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
