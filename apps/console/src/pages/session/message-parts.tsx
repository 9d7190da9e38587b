// One turn's conversation: the message, what the agent did, and its answer so far.

import type { MessagePart } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useLoaded } from "../../data/load.ts";
import { CopyButton } from "../../parts/copyable.tsx";
import { PicturesOf } from "../../parts/picture.tsx";
import { MarkdownText } from "../../parts/rich-text.tsx";
import type { Turn } from "../../data/transcript.ts";
import { Activity } from "./activity/list.tsx";

export function Said({ turn, sessionId }: { readonly turn: Turn; readonly sessionId: string }) {
  return (
    <>
      <div className="asked">
        <Parts parts={turn.parts} />
      </div>
      <Activity turn={turn} />
      {/* Files of a running turn are not stored yet. */}
      <PicturesOf value={turn.output.length > 0 ? sessionId : undefined}>
        <Answer turn={turn} />
      </PicturesOf>
    </>
  );
}

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

function Answer({ turn: { output, notes, preview, error, status } }: { readonly turn: Turn }) {
  const isWorking = output.length === 0 && status === "running";
  return (
    <>
      {output.map((part, index) =>
        part.type === "text" ? (
          <div key={index} className="answer-text">
            <MarkdownText text={part.text} />
            <CopyButton text={part.text} of="the answer" />
          </div>
        ) : (
          <span key={index} className="tag">
            {part.path}
          </span>
        ),
      )}
      {notes.map((note) => (
        <p key={note} className="note wait">
          {note}
        </p>
      ))}
      {isWorking && preview === "" && <p className="faint typing">Working</p>}
      {isWorking && preview !== "" && (
        <div className="typing">
          <MarkdownText text={preview} />
        </div>
      )}
      {error && (
        <p className="note bad">
          <code>{error.code}</code> {error.message}
        </p>
      )}
    </>
  );
}
