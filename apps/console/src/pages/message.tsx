// One message in detail: where its time went, its attempts, what they printed, what it changed.

import { isTerminal } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import { useEffect, useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { durationText } from "../data/format.ts";
import { useLoaded } from "../data/load.ts";
import { phasesOf, waitText } from "../data/timeline.ts";
import { addEvent, emptyTranscript, type Attempt, type Turn } from "../data/transcript.ts";
import { Copyable } from "../parts/copyable.tsx";
import { Link } from "../parts/link.tsx";
import { Log } from "../parts/log.tsx";
import { ErrorNote, Loading } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Ago } from "../parts/time.tsx";
import { Diff } from "./session/changes.tsx";
import { Said } from "./session/said.tsx";
import { TurnActions } from "./session/turn-actions.tsx";

/** Milliseconds between two looks at a message that has not ended. */
const lookEveryMs = 1_000;

export function MessagePage({ messageId }: { readonly messageId: string }) {
  const { client } = useAccount();
  const message = useLoaded(messageId, (signal) => client.getMessage(messageId, { signal }), {
    againAfterMs: (record) => (isTerminal(record) ? undefined : lookEveryMs),
  });
  const turn = useTurn(messageId);
  if (message.value === undefined) {
    return message.error === undefined ? <Loading /> : <ErrorNote error={message.error} retry={message.reload} />;
  }
  const record = message.value;
  return (
    <Page
      title={`Message ${record.sequence_number}`}
      beside={<Status of={record.status} />}
      above={{ to: `/sessions/${record.session_id}`, label: "Its session" }}
      actions={<TurnActions turn={shortOf(record)} sessionId={record.session_id} />}
    >
      <Facts record={record} />
      {turn && <Said turn={turn} />}
      <h2>Timeline</h2>
      <Timeline record={record} />
      <h2>Attempts, at most {record.max_attempts}</h2>
      <Attempts attempts={turn?.attempts ?? []} />
      <h2>Logs</h2>
      <Logs messageId={messageId} version={`${record.status} ${record.attempt}`} />
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

/** The message's own events, from its acceptance to its end, as they come. */
function useTurn(messageId: string): Turn | undefined {
  const { client } = useAccount();
  const [turn, setTurn] = useState<Turn>();
  useEffect(() => {
    const leaving = new AbortController();
    const follow = async (): Promise<void> => {
      let transcript = emptyTranscript;
      const options = { signal: leaving.signal, afterSequenceNumber: 0 };
      for await (const event of client.streamMessage(messageId, options)) {
        transcript = addEvent(transcript, event);
        setTurn(transcript.turns.find((one) => one.messageId === messageId));
      }
    };
    // The record, which is loaded apart, says what is wrong.
    follow().catch(() => undefined);
    return () => leaving.abort();
  }, [client, messageId]);
  return turn;
}

function Facts({ record }: { readonly record: MessageRecord }) {
  const { id, retry_of: retryOf, merged_into: mergedInto, output } = record;
  return (
    <>
      <p className="facts">
        <Copyable text={id} />
        <span>
          accepted <Ago time={record.created_at} />
        </span>
        {retryOf !== undefined && <Link to={`/messages/${retryOf}`}>another try of this message</Link>}
        {mergedInto !== undefined && <Link to={`/messages/${mergedInto}`}>became part of this message</Link>}
        {record.rolled_back === true && <span className="status off">rolled back</span>}
        {Object.entries(output?.usage ?? {}).map(([name, count]) => (
          <span key={name} className="tag">
            {name.replaceAll("_", " ")} {count}
          </span>
        ))}
      </p>
    </>
  );
}

function Timeline({ record }: { readonly record: MessageRecord }) {
  const phases = phasesOf(record.timings);
  const waits = waitText(record);
  const longest = Math.max(1, ...phases.map(({ ms }) => ms));
  return (
    <>
      {waits !== undefined && <p className="note">It waits: {waits}.</p>}
      {phases.length === 0 && <p className="faint">Measured when its turn has ended.</p>}
      {phases.length > 0 && (
        <table className="timeline" aria-label="Timeline">
          <tbody>
            {phases.map(({ name, label, ms }) => (
              <tr key={name}>
                <th scope="row">{label}</th>
                <td className="number">{durationText(ms)}</td>
                <td className="bar">
                  <meter min={0} max={longest} value={ms} aria-label={label} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Attempts({ attempts }: { readonly attempts: readonly Attempt[] }) {
  if (attempts.length === 0) return <p className="faint">None has started.</p>;
  return (
    <ol className="attempts">
      {attempts.map(({ id, startedAt, endedAt, outcome, error }) => (
        <li key={id}>
          <Status of={outcome ?? "running"} />
          <span className="faint">
            {endedAt === undefined ? "since" : `${durationText(Date.parse(endedAt) - Date.parse(startedAt))},`}{" "}
            <Ago time={startedAt} />
          </span>
          {error && (
            <span>
              <code>{error.code}</code> {error.message}
            </span>
          )}
        </li>
      ))}
    </ol>
  );
}

function Logs({ messageId, version }: { readonly messageId: string; readonly version: string }) {
  const { client } = useAccount();
  const logs = useLoaded(`${messageId} ${version}`, (signal) => client.messageLogs(messageId, { signal }));
  const refresh = useAction(async () => logs.reload());
  if (logs.error !== undefined) return <ErrorNote error={logs.error} retry={refresh.run} />;
  if (logs.value === undefined) return <Loading />;
  return <Log text={logs.value} label="Logs" empty="The agent has printed nothing." />;
}
