// What changed in the source between two versions: the files of both bundles, compared line by line.

import type { VersionBundle, VersionRecord } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { diffLines } from "../../data/diff-lines.ts";
import type { DiffFile } from "../../data/diff.ts";
import { isPassing, useLoaded } from "../../data/load.ts";
import { FileDiff } from "../../parts/file-diff.tsx";
import { ErrorNote, Loading } from "../../parts/notes.tsx";

/** Changed files whose text is compared. */
const filesMax = 30;
/** Larger files are named only. */
const fileBytesMax = 200_000;

interface SourceDiffProps {
  readonly agentId: string;
  readonly from: VersionRecord;
  readonly to: VersionRecord;
}

/** Loaded when it is opened: it reads both bundles. */
export function SourceDiff({ agentId, from, to }: SourceDiffProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="source-diff" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Source changes since version {from.number}</summary>
      {isOpen && <Changed agentId={agentId} from={from} to={to} />}
    </details>
  );
}

function Changed({ agentId, from, to }: SourceDiffProps) {
  const { client } = useAccount();
  const { value, error, reload } = useLoaded(`${from.id} ${to.id}`, async (signal) => {
    // One call after the other: the platform reads few bundles of an organization at once.
    const before = await client.getVersionBundle(agentId, from.id, { signal });
    const after = await client.getVersionBundle(agentId, to.id, { signal });
    const read = async ({ id }: VersionRecord, bundle: VersionBundle, path: string): Promise<string | undefined> => {
      const file = bundle.files.find((one) => one.path === path);
      if (file === undefined || file.size_bytes > fileBytesMax) return undefined;
      try {
        return (await client.getVersionBundleFile(agentId, id, { path }, { signal })).content;
      } catch (refused) {
        // A file that is not text is left out.
        if (isPassing(refused)) throw refused;
        return undefined;
      }
    };
    const paths = [...new Set([...before.files, ...after.files].map(({ path }) => path))].sort().slice(0, filesMax);
    const changed: DiffFile[] = [];
    for (const path of paths) {
      const old = (await read(from, before, path)) ?? "";
      const now = (await read(to, after, path)) ?? "";
      if (old !== now) changed.push(diffLines(path, old, now));
    }
    return changed;
  });
  if (error !== undefined) return <ErrorNote error={error} retry={reload} />;
  if (value === undefined) return <Loading />;
  if (value.length === 0) return <p className="faint">No text changed.</p>;
  return (
    <div className="diff" role="region" aria-label="Source changes">
      {value.map((file) => (
        <FileDiff key={file.name} file={file} isOpen={value.length <= 3} />
      ))}
    </div>
  );
}
