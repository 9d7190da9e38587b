// Where a message's time went: the platform's phases and, below the agent's, each model request and tool call.

import type { MessageRecord } from "@dari/contract";
import { Fragment, useMemo, useState, type ReactNode } from "react";
import { modelText, stateText, tokensText } from "../../data/activity-words.ts";
import type { ModelRequest } from "../../data/activity.ts";
import { listBars, placeBars, type Bar, type Part } from "../../data/bars.ts";
import { durationText } from "../../data/format.ts";
import { buildTimeline, waitText, type Timeline } from "../../data/timeline.ts";
import type { Turn } from "../../data/transcript.ts";
import { CallDetail } from "../session/activity/list.tsx";
import { ValuesOf } from "../session/activity/stored-value.tsx";

/** How many bars are shown first. */
const barsAtOnce = 100;
/** If the agent has less than this share of the time, its bars can be shown larger. */
const largeShare = 0.6;

interface TimelineProps {
  readonly record: MessageRecord;
  readonly turn: Turn | undefined;
}

export function TimelineView({ record, turn }: TimelineProps) {
  const timeline = buildTimeline(record, turn?.attempts);
  const waits = waitText(record);
  return (
    <>
      {waits !== undefined && <p className="note wait">It waits: {waits}.</p>}
      {timeline.phases.length === 0 ? (
        <p className="faint">Measured after the turn has ended.</p>
      ) : (
        <ValuesOf value={record.id}>
          <Phases timeline={timeline} record={record} turn={turn} />
        </ValuesOf>
      )}
    </>
  );
}

function Phases({ timeline, record, turn }: TimelineProps & { readonly timeline: Timeline }) {
  const [isLarge, setLarge] = useState(false);
  const { phases, totalMs } = timeline;
  const bars = useBars(turn);
  const agent = phases.find(({ name }) => name === "agent_ms");
  const lastAttempt = turn?.attempts.at(-1)?.id;
  const isOfEarlier = ({ attemptId }: Bar): boolean =>
    attemptId !== undefined && attemptId !== lastAttempt && phases.some(({ name }) => name === "earlier");
  const canEnlarge = agent !== undefined && bars.length > 0 && agent.ms < totalMs * largeShare;
  const span: Part = canEnlarge && isLarge ? agent : { startMs: 0, ms: totalMs };
  const acceptedAt = Date.parse(record.created_at);
  return (
    <>
      {canEnlarge && (
        <label className="inline-choice">
          <input type="checkbox" checked={isLarge} onChange={(event) => setLarge(event.target.checked)} />
          Show only the agent’s time
        </label>
      )}
      <table className="timeline" aria-label="Timeline">
        <tbody>
          {phases.map((phase) => (
            <Fragment key={phase.name}>
              <Row name={phase.label} part={phase} span={span} className={phase.name} />
              {phase.name === "agent_ms" && (
                <Bars bars={bars.filter((bar) => !isOfEarlier(bar))} {...{ acceptedAt, span }} inside={phase} />
              )}
              {phase.name === "earlier" && <Bars bars={bars.filter(isOfEarlier)} {...{ acceptedAt, span }} />}
            </Fragment>
          ))}
          <tr className="total">
            <th scope="row">{record.completed_at === null ? "since acceptance" : "from acceptance to end"}</th>
            <td className="number">{durationText(totalMs)}</td>
            <td className="lane" aria-hidden="true" />
          </tr>
        </tbody>
      </table>
    </>
  );
}

function useBars(turn: Turn | undefined): readonly Bar[] {
  const { steps, attempts, status } = turn ?? {};
  return useMemo(
    () => (steps && attempts && status ? listBars({ steps, attempts, status }) : []),
    [steps, attempts, status],
  );
}

interface RowProps {
  readonly name: ReactNode;
  readonly part: Part;
  /** What the width of the table shows. */
  readonly span: Part;
  readonly className: string;
}

function Row({ name, part, span, className }: RowProps) {
  const share = (ms: number): string => `${span.ms === 0 ? 0 : (ms / span.ms) * 100}%`;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td className="number">{durationText(part.ms)}</td>
      <td className="lane" aria-hidden="true">
        <span
          className={`phase ${className}`}
          style={{ left: share(part.startMs - span.startMs), width: share(part.ms) }}
        />
      </td>
    </tr>
  );
}

interface BarsProps {
  readonly bars: readonly Bar[];
  readonly acceptedAt: number;
  readonly span: Part;
  /** The phase that the bars belong to. */
  readonly inside?: Part;
}

function Bars({ bars, acceptedAt, span, inside }: BarsProps) {
  const [shown, setShown] = useState(barsAtOnce);
  const hidden = bars.length - shown;
  const parts = placeBars(bars, acceptedAt, inside);
  return (
    <>
      {bars.slice(0, shown).map((bar, index) => (
        <BarRow key={bar.item.id} bar={bar} part={parts[index] ?? span} span={span} />
      ))}
      {hidden > 0 && (
        <tr>
          <td colSpan={3}>
            <button type="button" className="quiet" onClick={() => setShown(shown + barsAtOnce * 5)}>
              Show {Math.min(barsAtOnce * 5, hidden)} of {hidden} more
            </button>
          </td>
        </tr>
      )}
    </>
  );
}

function BarRow({ bar: { item, depth }, part, span }: { readonly bar: Bar; readonly part: Part; readonly span: Part }) {
  const [isOpen, setOpen] = useState(false);
  const { state } = item;
  const name = (
    <span className="bar-name" data-depth={depth}>
      <button type="button" className="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {item.kind === "call" ? item.name : modelText(item.data)}
      </button>
      {state !== "done" && <span className={state === "failed" ? "bad" : "faint"}> {stateText(state)}</span>}
    </span>
  );
  return (
    <>
      <Row name={name} part={part} span={span} className={`${item.kind} ${state}`} />
      {isOpen && (
        <tr className="detail">
          <td colSpan={3}>{item.kind === "call" ? <CallDetail call={item} /> : <RequestDetail request={item} />}</td>
        </tr>
      )}
    </>
  );
}

function RequestDetail({ request: { data } }: { readonly request: ModelRequest }) {
  const facts = {
    model: modelText(data),
    provider: data.provider,
    agent: data.agent,
    tokens: tokensText(data.usage),
    "ended by": data.finish_reason,
    error: data.error,
  };
  return (
    <dl className="properties">
      {Object.entries(facts).map(([name, value]) =>
        value === undefined || value === "" ? null : (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ),
      )}
    </dl>
  );
}
