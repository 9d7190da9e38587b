// Rows about an agent that have nothing inside: a model request, todos, a subagent without a call, what a model writes.

import type { ModelRequest, Plan, Subagent } from "../../../data/activity.ts";
import { modelText, planText, stateText, tokensText } from "../../../data/activity-words.ts";
import { durationText } from "../../../data/format.ts";
import type { Draft } from "../../../data/transcript.ts";

export function RequestRow({ request: { state, data } }: { readonly request: ModelRequest }) {
  const { usage, duration_ms: durationMs, error } = data;
  const tokens = tokensText(usage);
  return (
    <li className={`step request ${state}`}>
      <span className="line">
        {modelText(data)}
        {tokens !== "" && ` · ${tokens}`}
        {state !== "done" && ` · ${stateText(state)}`}
      </span>
      {durationMs !== undefined && <span className="took">{durationText(durationMs)}</span>}
      {error !== undefined && <p className="failure">{error}</p>}
    </li>
  );
}

export function PlanRow({ plan: { todos, isLatest } }: { readonly plan: Plan }) {
  if (!isLatest) return <li className="step quiet">Changed its plan: {planText(todos)}</li>;
  return (
    <li className="step plan">
      <p className="faint">{planText(todos)}</p>
      <ul aria-label="Todos">
        {todos.map(({ text, status }, index) => (
          <li key={index} className={status}>
            <span className="box" aria-hidden="true" />
            <span className="unsaid">{status.replaceAll("_", " ")}: </span>
            <span className="text">{text}</span>
          </li>
        ))}
      </ul>
    </li>
  );
}

export function SubagentRow({ subagent: { name, state, durationMs } }: { readonly subagent: Subagent }) {
  return (
    <li className="step quiet">
      Subagent {name} · {stateText(state)}
      {durationMs !== undefined && <span className="took">{durationText(durationMs)}</span>}
    </li>
  );
}

/** How much of the end of a draft is shown. */
const endChars = 120;

export function DraftRow({ draft: { kind, name, text } }: { readonly draft: Draft }) {
  return (
    <li className="step quiet draft">
      {kind === "reasoning" ? "Thinks" : <>Writes a call of {name}</>}
      <span className="line">{text.slice(-endChars).replace(/\s+/g, " ")}</span>
    </li>
  );
}
