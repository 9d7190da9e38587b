// One turn's conversation: the message, what the agent did, and its answer so far.

import type { MessagePart } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useLoaded } from "../../data/load.ts";
import { CopyButton } from "../../parts/copyable.tsx";
import { MarkdownText } from "../../parts/rich-text.tsx";
import type { Step, Turn } from "../../data/transcript.ts";

export function Said({ turn }: { readonly turn: Turn }) {
  return (
    <>
      <div className="asked">
        <Parts parts={turn.parts} />
      </div>
      <Steps steps={turn.steps} />
      <Answer turn={turn} />
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

function Steps({ steps }: { readonly steps: readonly Step[] }) {
  if (steps.length === 0) return null;
  return (
    <ul className="steps" aria-label="What the agent did">
      {steps.map((step) => (
        <StepView key={step.id} step={step} />
      ))}
    </ul>
  );
}

function StepView({ step }: { readonly step: Step }) {
  const [isOpen, setOpen] = useState(false);
  const { type, data } = step;
  return (
    <li>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          {titles[type]} <code>{labelOf(step)}</code>
        </summary>
        {isOpen && (
          <pre className="log" tabIndex={0} role="region" aria-label={`Data of ${type}`}>
            {JSON.stringify(data, null, 2)}
          </pre>
        )}
      </details>
    </li>
  );
}

const titles: Readonly<Record<Step["type"], string>> = {
  "agent.event": "event",
  "agent.events_omitted": "events left out",
  "agent.handoff": "handoff",
  "assistant.message": "said",
  "input.requested": "input requested",
  "input.submitted": "input submitted",
  "plan.updated": "plan",
  "reasoning.completed": "reasoning",
  "subagent.completed": "subagent ended",
  "subagent.started": "subagent",
  "tool.call_completed": "tool result",
  "tool.call_requested": "tool call",
};

function labelOf(step: Step): string {
  if ("key" in step.data) return step.data.key;
  if (step.type === "tool.call_completed") return `${step.data.name}${step.data.is_error ? " failed" : ""}`;
  if (step.type === "agent.handoff") return step.data.to_agent;
  return "name" in step.data ? step.data.name : "";
}
