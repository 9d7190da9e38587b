// An event that is shown as it is: reasoning, text before a tool call, a message during the turn, a question.

import { useState } from "react";
import type { Told } from "../../../data/activity.ts";
import { plainText, sizeText } from "../../../data/format.ts";
import { MarkdownText } from "../../../rich/rich-text.tsx";
import { Parts } from "../parts.tsx";
import { WholeText } from "./stored-value.tsx";
import { Value } from "./value.tsx";

type Event = Told["event"];

export function EventRow({ event }: { readonly event: Event }) {
  switch (event.type) {
    case "reasoning.completed":
      return <ReasoningRow event={event} />;
    case "assistant.message":
      return (
        <li className="step text">
          <SaidText data={event.data} />
        </li>
      );
    case "message.steered":
      return (
        <li className="step steered">
          <span className="unsaid">Message during the turn: </span>
          <div className="asked">
            <Parts parts={event.parts} />
          </div>
        </li>
      );
    case "agent.handoff":
      return (
        <li className="step quiet">
          {event.data.from_agent} handed over to {event.data.to_agent}
        </li>
      );
    case "step.completed":
      return (
        <li className="step quiet">
          Step {event.data.name}: {event.data.is_replayed ? "got the recorded result" : "completed"}
        </li>
      );
    case "agent.events_omitted":
      return <li className="step quiet">At least {event.data.count} more events were not stored</li>;
    case "agent.event":
      return <DataRow title={event.data.name} label="Data" value={event.data.data} />;
    case "input.requested":
      return (
        <DataRow
          title={`Asked for ${event.data.key}`}
          says={event.data.prompt}
          label="Schema"
          value={event.data.schema}
        />
      );
    case "input.submitted":
      return <DataRow title={`Got ${event.data.key}`} label="Answer" value={event.data.value} />;
  }
}

/** Characters of the reasoning in its folded row. */
const firstChars = 160;

function ReasoningRow({
  event: { data },
}: {
  readonly event: Extract<Event, { readonly type: "reasoning.completed" }>;
}) {
  const [isOpen, setOpen] = useState(false);
  return (
    <li className="step reasoning">
      <details onToggle={(toggled) => setOpen(toggled.currentTarget.open)}>
        <summary>
          Reasoning <span className="line">{!isOpen && plainText(data.text.slice(0, firstChars))}</span>
        </summary>
        {isOpen && (
          <div className="inside">
            <SaidText data={data} />
          </div>
        )}
      </details>
    </li>
  );
}

interface SaidTextProps {
  readonly data: Extract<Event, { readonly type: "reasoning.completed" | "assistant.message" }>["data"];
}

/** The whole of a text that the event has cut is loaded on request. */
function SaidText({ data: { text, text_bytes: bytes, text_value_id: valueId } }: SaidTextProps) {
  const [whole, setWhole] = useState<string>();
  return (
    <>
      <MarkdownText text={whole ?? text} />
      {bytes !== undefined && whole === undefined && (
        <p className="faint">
          The beginning of {sizeText(bytes)}{" "}
          {valueId !== undefined && <WholeText valueId={valueId} bytes={bytes} filename="text.md" onText={setWhole} />}
        </p>
      )}
    </>
  );
}

interface DataRowProps {
  readonly title: string;
  readonly says?: string | null;
  readonly label: string;
  readonly value: unknown;
}

function DataRow({ title, says, label, value }: DataRowProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <li className="step event">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          {title} <span className="line">{says}</span>
        </summary>
        {isOpen && (
          <div className="inside">
            <Value label={label} value={value ?? null} />
          </div>
        )}
      </details>
    </li>
  );
}
