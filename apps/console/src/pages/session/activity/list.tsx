// What an agent did in a turn, one row each, in the order in which it began. Rows contain such lists themselves.

import { memo, useMemo, useState } from "react";
import { countCalls, listActivity, type Call, type FailedAttempt, type Item } from "../../../data/activity.ts";
import {
  argumentLine,
  failureLine,
  kindText,
  outcomeText,
  stateText,
  stepsText,
} from "../../../data/activity-words.ts";
import { durationText } from "../../../data/format.ts";
import type { Turn } from "../../../data/transcript.ts";
import { EventRow } from "./event.tsx";
import { DraftRow, PlanRow, RequestRow, SubagentRow } from "./rows.tsx";
import { ValuesOf } from "./stored-value.tsx";
import { Value } from "./value.tsx";

/** How many of the newest rows are shown first. */
const rowsAtOnce = 100;

export function Activity({ turn: { messageId, steps, attempts, status, drafts } }: { readonly turn: Turn }) {
  const items = useMemo(() => listActivity({ steps, attempts, status }), [steps, attempts, status]);
  return (
    <ValuesOf value={messageId}>
      {items.length > 0 && <ItemList items={items} label="What the agent did" />}
      {drafts.length > 0 && (
        <ol className="activity" aria-label="What the model writes" aria-live="off">
          {drafts.map((draft) => (
            <DraftRow key={`${draft.kind} ${draft.key}`} draft={draft} />
          ))}
        </ol>
      )}
    </ValuesOf>
  );
}

interface ItemListProps {
  readonly items: readonly Item[];
  readonly label: string;
}

/** Drawn again only if the items change, not with each piece of the answer's text. */
export const ItemList = memo(function ItemList({ items, label }: ItemListProps) {
  const [shown, setShown] = useState(rowsAtOnce);
  const hidden = Math.max(0, items.length - shown);
  return (
    <>
      {hidden > 0 && (
        <button type="button" className="quiet" onClick={() => setShown(shown + rowsAtOnce)}>
          Show {Math.min(rowsAtOnce, hidden)} of {hidden} earlier steps
        </button>
      )}
      <ol className="activity" aria-label={label} aria-live="off">
        {items.slice(hidden).map((item) => (
          <ItemRow key={item.id} item={item} />
        ))}
      </ol>
    </>
  );
});

function ItemRow({ item }: { readonly item: Item }) {
  switch (item.kind) {
    case "call":
      return <CallRow call={item} />;
    case "request":
      return <RequestRow request={item} />;
    case "plan":
      return <PlanRow plan={item} />;
    case "attempt":
      return <AttemptRow attempt={item} />;
    case "subagent":
      return <SubagentRow subagent={item} />;
    case "event":
      return <EventRow event={item.event} />;
  }
}

/** Folded: what a call was given, how it ended and how long it took. Opened: everything, also of its subagent. */
function CallRow({ call }: { readonly call: Call }) {
  const [isOpen, setOpen] = useState(false);
  const { name, state, durationMs, subagent, items, result, error } = call;
  const kind = kindText(call);
  const inner = countCalls(items);
  const failure = failureLine(error ?? result);
  return (
    <li className={`step call ${state}`}>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span className="mark" />
          {kind !== "" && <span className="kind">{kind}</span>}
          <strong>{subagent === undefined ? name : `${name} · ${subagent}`}</strong>
          <span className="line">{argumentLine(call.arguments)}</span>
          {inner > 0 && <span className="inner-count">{inner === 1 ? "1 call" : `${inner} calls`}</span>}
          <span className={state === "done" ? "unsaid" : "state"}>{stateText(state)}</span>
          {durationMs !== undefined && <span className="took">{durationText(durationMs)}</span>}
        </summary>
        {isOpen && <CallDetail call={call} />}
      </details>
      {state === "failed" && !isOpen && failure !== "" && <p className="failure">{failure}</p>}
    </li>
  );
}

export function CallDetail({ call }: { readonly call: Call }) {
  const { state, items, result, error, resultBytes, resultId, arguments: given, argumentsBytes, argumentsId } = call;
  const hasEnded = state === "done" || state === "failed";
  return (
    <div className="inside">
      <Value label="Arguments" value={given ?? null} wholeBytes={argumentsBytes} wholeId={argumentsId} />
      {items.length > 0 && <ItemList items={items} label="What the subagent did" />}
      {error !== undefined && <Value label="Error" value={error} />}
      {hasEnded && (
        <Value
          label={error !== undefined ? "What the model got" : state === "failed" ? "Error" : "Result"}
          value={result ?? null}
          wholeBytes={resultBytes}
          wholeId={resultId}
        />
      )}
    </div>
  );
}

function AttemptRow({ attempt: { name, outcome, error, items } }: { readonly attempt: FailedAttempt }) {
  const [isOpen, setOpen] = useState(false);
  const title = `Attempt ${name} ${outcomeText(outcome)}`;
  const reason = error && (
    <p className="failure">
      <code>{error.code}</code> {error.message}
    </p>
  );
  if (items.length === 0)
    return (
      <li className="step attempt">
        {title}
        {reason}
      </li>
    );
  return (
    <li className="step attempt">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span className="line">{title}</span>
          <span className="inner-count">{stepsText(items)}</span>
        </summary>
        {isOpen && (
          <div className="inside">
            <ItemList items={items} label={`What attempt ${name} did`} />
          </div>
        )}
      </details>
      {reason}
    </li>
  );
}
