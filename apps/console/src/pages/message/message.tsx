// One message in detail: its phases, attempts, logs and changed files.

import { isTerminal } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import { useEffect, useState } from "react";
import { useAccount } from "../../data/account.ts";
import { durationText } from "../../data/format.ts";
import { followThroughOutages } from "../../data/follow.ts";
import { useLoaded, useReloadOn } from "../../data/load.ts";
import { listRunNames, sumRunUsage } from "../../data/run-usage.ts";
import { addEvent, emptyTranscript, type Attempt, type Turn } from "../../data/transcript.ts";
import { CopyButton, Id } from "../../parts/copyable.tsx";
import { Head } from "../../parts/head.tsx";
import { Link } from "../../parts/link.tsx";
import { LogView } from "../../parts/log-view.tsx";
import { ErrorNote, Loading } from "../../parts/notes.tsx";
import { Page, Pending } from "../../parts/page.tsx";
import { preloadMarkdown } from "../../rich/rich-text.tsx";
import { Status } from "../../parts/status.tsx";
import { Ago } from "../../parts/time.tsx";
import { Asked } from "../session/asked-input.tsx";
import { Diff } from "../session/changes.tsx";
import { Said } from "../session/message-parts.tsx";
import { TurnActions } from "../session/turn-actions.tsx";
import { TimelineView } from "./timeline.tsx";

/** How often a message that has not ended is loaded again, in milliseconds. */
const lookEveryMs = 1_000;
/** How often its logs are loaded again, in milliseconds. */
const readLogsEveryMs = 2_000;

export function MessagePage({ messageId }: { readonly messageId: string }) {
  const { client } = useAccount();
  useEffect(preloadMarkdown, []);
  const message = useLoaded(messageId, (signal) => client.getMessage(messageId, {}, { signal }), {
    againAfterMs: (record) => (isTerminal(record) ? undefined : lookEveryMs),
  });
  const turn = useTurn(messageId);
  if (message.value === undefined)
    return <Pending of={message} title="Message" above={{ to: "/sessions", label: "Sessions" }} />;
  const record = message.value;
  return (
    <Page
      title={`Message ${record.sequence_number}`}
      beside={<Status of={record.status} />}
      above={{ to: `/sessions/${record.session_id}`, label: "Its session" }}
      actions={<TurnActions turn={shortOf(record)} sessionId={record.session_id} isAlone />}
    >
      <ErrorNote error={message.error} retry={message.reload} />
      <Facts record={record} attempts={turn?.attempts ?? []} />
      {turn ? <Said turn={turn} sessionId={record.session_id} /> : <Loading />}
      {record.status === "waiting_for_input" && <Asked messageId={messageId} onAnswered={message.reload} />}
      <h2>Timeline</h2>
      <TimelineView record={record} turn={turn} />
      <h2>Attempts, at most {record.max_attempts}</h2>
      {turn ? <Attempts attempts={turn.attempts} /> : <Loading />}
      <h2>Logs</h2>
      <Logs messageId={messageId} version={`${record.status} ${record.attempt}`} isGrowing={!isTerminal(record)} />
      {record.files_changed.length > 0 && (
        <>
          <h2>Changes</h2>
          <Diff messageId={messageId} />
        </>
      )}
    </Page>
  );
}

function shortOf(record: MessageRecord) {
  return { messageId: record.id, status: record.status, isRolledBack: record.rolled_back === true };
}

/** Follows the message's events, from its acceptance to its end. */
function useTurn(messageId: string): Turn | undefined {
  const { client } = useAccount();
  const [turn, setTurn] = useState<Turn>();
  useEffect(() => {
    const leaving = new AbortController();
    let transcript = emptyTranscript;
    // The record, which is loaded separately, shows the error.
    followThroughOutages((query, options) => client.streamMessage(messageId, query, options), {
      signal: leaving.signal,
      position: () => transcript.lastSequenceNumber,
      onEvent(event) {
        transcript = addEvent(transcript, event);
        setTurn(transcript.turns.find((one) => one.messageId === messageId));
      },
      onAway: () => undefined,
    }).catch(() => undefined);
    return () => leaving.abort();
  }, [client, messageId]);
  return turn;
}

interface FactsProps {
  readonly record: MessageRecord;
  readonly attempts: readonly Attempt[];
}

function Facts({ record, attempts }: FactsProps) {
  const { id, retry_of: retryOf, merged_into: mergedInto, delivered_in: deliveredIn, output } = record;
  // An imported message has its usage only in its answer.
  const used = sumRunUsage(attempts) ?? { runs: 1, usage: output?.usage ?? {} };
  return (
    <>
      <p className="facts">
        <Id of={id} />
        <span>
          accepted <Ago time={record.created_at} />
        </span>
        {retryOf !== undefined && <Link to={`/messages/${retryOf}`}>another try of this message</Link>}
        {mergedInto !== undefined && <Link to={`/messages/${mergedInto}`}>became part of this message</Link>}
        {deliveredIn !== undefined && (
          <Link to={`/messages/${deliveredIn}`}>delivered in the turn of this message</Link>
        )}
        {record.rolled_back === true && <span className="status off">rolled back</span>}
        {Object.entries(used.usage).map(([name, count]) => (
          <span key={name} className="tag">
            {name.replaceAll("_", " ")} {count}
          </span>
        ))}
        {used.runs > 1 && <span className="faint">in {used.runs} runs</span>}
      </p>
    </>
  );
}

function Attempts({ attempts }: { readonly attempts: readonly Attempt[] }) {
  if (attempts.length === 0) return <p className="faint">None has started.</p>;
  const names = listRunNames(attempts);
  return (
    <table aria-label="Attempts">
      <Head titles={["Attempt", "Outcome", ["Took", "number"], "Error", ["Started", "minor"]]} />
      <tbody>
        {attempts.map(({ id, startedAt, endedAt, outcome, error }, index) => (
          <tr key={id}>
            <th scope="row">
              {names[index]} <CopyButton text={id} of="the attempt’s id" />
            </th>
            <td>
              <Status of={outcome ?? "running"} />
            </td>
            <td className="number">
              {endedAt === undefined ? "–" : durationText(Date.parse(endedAt) - Date.parse(startedAt))}
            </td>
            <td>
              {error && (
                <>
                  <code>{error.code}</code> {error.message}
                </>
              )}
            </td>
            <td className="minor">
              <Ago time={startedAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface LogsProps {
  readonly messageId: string;
  /** Changes when more logs can exist. */
  readonly version: string;
  readonly isGrowing: boolean;
}

function Logs({ messageId, version, isGrowing }: LogsProps) {
  const { client } = useAccount();
  const { value, error, reload } = useLoaded(
    messageId,
    (signal) => client.getMessageLogs(messageId, { timestamps: true }, { signal }),
    {
      againAfterMs: () => (isGrowing ? readLogsEveryMs : undefined),
    },
  );
  useReloadOn(version, reload);
  if (value === undefined && error === undefined) return <Loading />;
  return (
    <>
      <ErrorNote error={error} retry={reload} />
      {value === "" && <p className="faint">The agent has printed nothing.</p>}
      {value !== undefined && value !== "" && (
        <LogView text={value} filename={`${messageId}.log`} isGrowing={isGrowing} />
      )}
    </>
  );
}
