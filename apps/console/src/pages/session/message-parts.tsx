// One turn's conversation: the message, what the agent did, and its answer so far.

import { CopyButton } from "../../parts/copyable.tsx";
import { PicturesOf } from "../../parts/picture.tsx";
import { MarkdownText } from "../../rich/rich-text.tsx";
import type { Turn } from "../../data/transcript.ts";
import { Activity } from "./activity/list.tsx";
import { Parts } from "./parts.tsx";

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
