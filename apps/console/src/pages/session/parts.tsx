// The parts of a message: texts, and files by their names.

import type { MessagePart } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useLoaded } from "../../data/load.ts";

export function Parts({ parts }: { readonly parts: readonly MessagePart[] }) {
  return parts.map((part, index) =>
    part.type === "text" ? (
      <p key={index} className="said">
        {part.text}
      </p>
    ) : (
      <span key={index} className="tag" title={part.path}>
        {part.filename ?? <FileName fileId={part.file_id} />}
      </span>
    ),
  );
}

/** The parts of a message have only the ids of files while it is open. */
function FileName({ fileId }: { readonly fileId: string }) {
  const { client } = useAccount();
  const { value } = useLoaded(fileId, (signal) => client.getFile(fileId, { signal }));
  return value?.filename ?? "a file";
}
