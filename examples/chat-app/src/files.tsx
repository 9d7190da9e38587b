// The files of the session, which the agent and the uploads of the conversation have made.

import { useEffect, useState } from "react";
import { download, readDari } from "./dari.ts";

interface Entry {
  path: string;
  type: string;
  size_bytes: number;
}

/** `revision`: changes when the files may have changed. */
export function Files({ sessionId, revision }: { sessionId: string; revision: string }) {
  const [entries, setEntries] = useState<Entry[]>([]);
  const files = `/v1/sessions/${sessionId}/files`;
  useEffect(() => {
    const leaving = new AbortController();
    readDari<{ entries: Entry[] }>(`${files}?path=/&recursive=1`, { signal: leaving.signal })
      .then((listing) => setEntries(listing.entries.filter(({ type }) => type === "file")))
      // The list is read again after the next turn.
      .catch(() => undefined);
    return () => leaving.abort();
  }, [files, revision]);
  return (
    <aside aria-label="Files">
      <h2>Files</h2>
      {entries.length === 0 && <p className="note">None yet.</p>}
      <ul>
        {entries.map(({ path, size_bytes: size }) => (
          <li key={path}>
            <button
              onClick={() =>
                void download(`${files}/content?path=${encodeURIComponent(path)}`, path.split("/").at(-1)!)
              }
            >
              {path.slice(1)}
            </button>
            <span className="note">{size.toLocaleString("en")} B</span>
          </li>
        ))}
      </ul>
    </aside>
  );
}
