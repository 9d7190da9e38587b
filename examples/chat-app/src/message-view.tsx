// One message: texts, reasoning, tool calls, questions and files, in the order in which they came.

import type { DynamicToolUIPart } from "ai";
import type { Message } from "./conversation.ts";
import { download } from "./dari.ts";

interface MessageProps {
  message: Message;
  onDecide: (approvalId: string, approved: boolean) => void;
}

export function MessageView({ message: { role, parts, metadata }, onDecide }: MessageProps) {
  return (
    <li className={role}>
      {parts.map((part, index) => {
        switch (part.type) {
          case "text":
            return <p key={index}>{part.text}</p>;
          case "reasoning":
            return (
              <details key={index}>
                <summary>Reasoning</summary>
                <p>{part.text}</p>
              </details>
            );
          case "file": {
            const name = part.filename ?? decodeURIComponent(part.url).split("/").at(-1)!;
            return (
              <button key={index} onClick={() => void download(part.url, name)}>
                {name}
              </button>
            );
          }
          case "dynamic-tool":
            if (part.toolName === "request_input") return <Question key={index} part={part} onDecide={onDecide} />;
            return <ToolCall key={index} part={part} />;
          default:
            return null;
        }
      })}
      {metadata?.status === "cancelled" && <p className="note">Stopped.</p>}
      {metadata?.error && <p className="failure">{metadata.error.message}</p>}
    </li>
  );
}

function ToolCall({ part }: { part: DynamicToolUIPart }) {
  const isOver = part.state === "output-available" || part.state === "output-error";
  return (
    <details className="call">
      <summary>
        {isOver ? (part.state === "output-error" ? "✗" : "✓") : "…"} {part.toolName}
      </summary>
      <pre>{JSON.stringify(part.input, null, 2)}</pre>
      {part.state === "output-available" && <pre>{JSON.stringify(part.output, null, 2)}</pre>}
      {part.state === "output-error" && <pre>{part.errorText}</pre>}
    </details>
  );
}

/** The agent waits for the answer, for as long as it takes, also if the page is closed. */
function Question({ part, onDecide }: { part: DynamicToolUIPart; onDecide: MessageProps["onDecide"] }) {
  const { prompt } = (part.input ?? {}) as { prompt?: string };
  if (part.state !== "approval-requested") {
    const answers = { "approval-responded": "Sent.", "output-available": "Approved.", "output-denied": "Refused." };
    return (
      <p className="note">
        {prompt} {answers[part.state as keyof typeof answers]}
      </p>
    );
  }
  return (
    <fieldset className="question">
      <legend>{prompt}</legend>
      <button className="primary" onClick={() => onDecide(part.approval.id, true)}>
        Approve
      </button>
      <button onClick={() => onDecide(part.approval.id, false)}>Refuse</button>
    </fieldset>
  );
}
