// One batch: the results of its first messages so far, and its sessions.

import type { BatchSessionRecord, MessagesRetried, SessionBatchRecord } from "@dari/contract";
import { messageMachine } from "@dari/domain";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { useAgentNames } from "../../data/agents.ts";
import { countText, durationText, plainText, sessionsText, shortId } from "../../data/format.ts";
import { useList, useLive, useLoaded, useReloadOn } from "../../data/load.ts";
import { saveText } from "../../data/save-as.ts";
import { Filter } from "../../parts/choice.tsx";
import { Id } from "../../parts/copyable.tsx";
import { ConfirmButton } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty, ErrorNote } from "../../parts/notes.tsx";
import { Page, Pending } from "../../parts/page.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Tile, Tiles } from "../../parts/tiles.tsx";
import { Ago } from "../../parts/time.tsx";

/** Pause before a batch that has not ended is loaded again, in milliseconds. */
const lookEveryMs = 750;
/** How often its sessions are loaded again, for retries. Milliseconds. */
const updateEveryMs = 3_000;

const above = { to: "/batches", label: "Batches" };

export function BatchPage({ batchId }: { readonly batchId: string }) {
  const { client } = useAccount();
  const nameOf = useAgentNames();
  const batch = useLoaded(batchId, (signal) => client.getSessionBatch(batchId, { signal }), {
    againAfterMs: ({ status }) => (status === "ended" ? undefined : lookEveryMs),
  });
  if (batch.value === undefined) return <Pending of={batch} title="Batch" above={above} />;
  const record = batch.value;
  return (
    <Page
      title={record.name ?? sessionsText(record.total)}
      beside={<Status of={record.status} />}
      above={above}
      actions={
        <>
          <Results batchId={batchId} />
          {record.counts.failed > 0 && <RetryFailed batchId={batchId} onRetried={batch.reload} />}
          {record.status === "in_progress" && <Cancel batchId={batchId} onChanged={batch.reload} />}
        </>
      }
    >
      <ErrorNote error={batch.error} retry={batch.reload} />
      <Progress batch={record} />
      <Counts batch={record} />
      <dl className="properties">
        <dt>Agent</dt>
        <dd>
          <Link to={`/agents/${record.agent_id}`}>{nameOf(record.agent_id)}</Link>
        </dd>
        <dt>Created</dt>
        <dd>
          <Ago time={record.created_at} />
        </dd>
        <dt>Finished</dt>
        <dd>{record.finished_at === null ? "not yet" : <Ago time={record.finished_at} />}</dd>
        <dt>Id</dt>
        <dd>
          <Id of={batchId} />
        </dd>
      </dl>
      <Sessions batchId={batchId} round={JSON.stringify(record.counts)} />
    </Page>
  );
}

/** First messages by status. Statuses without messages are left out, except the three that readers look for. */
function Counts({ batch: { counts, total } }: { readonly batch: SessionBatchRecord }) {
  const { queued, running, waiting_for_input: asking, completed, failed, cancelled, deleted } = counts;
  const rest = { "waiting for input": asking, cancelled, deleted };
  return (
    <Tiles>
      <Tile label="Completed" value={countText(completed)} says={`of ${countText(total)}`} />
      <Tile label="Running" value={countText(running)} says={`${countText(queued)} queued`} />
      <Tile label="Failed" value={countText(failed)} tone={failed > 0 ? "bad" : "plain"} />
      {Object.entries(rest).map(
        ([label, count]) => count > 0 && <Tile key={label} label={label} value={countText(count)} tone="wait" />,
      )}
    </Tiles>
  );
}

/** The shares of the first messages that ended or run. */
function Progress({ batch: { counts, total } }: { readonly batch: SessionBatchRecord }) {
  const parts = ["completed", "failed", "cancelled", "running"] as const;
  const ended = counts.completed + counts.failed + counts.cancelled + counts.deleted;
  return (
    <div
      className="progress"
      role="progressbar"
      aria-label="Progress"
      aria-valuemin={0}
      aria-valuemax={total}
      aria-valuenow={ended}
    >
      {parts.map((part) => (
        <span key={part} className={part} style={{ width: `${(counts[part] / total) * 100}%` }} />
      ))}
    </div>
  );
}

function Results({ batchId }: { readonly batchId: string }) {
  const { client } = useAccount();
  const download = useAction(async () => saveText(`${batchId}.jsonl`, await client.getBatchResults(batchId)));
  return (
    <>
      <button type="button" onClick={download.run} disabled={download.isRunning}>
        Download results
      </button>
      <ErrorNote error={download.error} />
    </>
  );
}

function RetryFailed({ batchId, onRetried }: { readonly batchId: string; readonly onRetried: () => void }) {
  const { client, isAdmin } = useAccount();
  const [done, setDone] = useState<MessagesRetried>();
  const retry = useAction(async () => {
    setDone(await client.retryMessages({ filter: { session_batch_id: batchId } }));
    onRetried();
  });
  if (!isAdmin) return null;
  return (
    <>
      <ConfirmButton
        label="Retry failed"
        isOff={retry.isRunning}
        title="Retry the failed messages of this batch?"
        says="Messages that were retried before are left out. Their usage counts again."
        verb="Retry"
        tone="primary"
        onConfirm={retry.run}
      />
      {done && (
        <span className="faint" role="status">
          {done.retried.length} sent again, {done.skipped.length} skipped
        </span>
      )}
      <ErrorNote error={retry.error} />
    </>
  );
}

function Cancel({ batchId, onChanged }: { readonly batchId: string; readonly onChanged: () => void }) {
  const { client } = useAccount();
  const cancel = useAction(async () => {
    await client.cancelSessionBatch(batchId);
    onChanged();
  });
  return (
    <>
      <ConfirmButton
        label="Cancel"
        tone="danger"
        isOff={cancel.isRunning}
        title="Cancel this batch?"
        says="Waiting first messages end immediately, running ones when they have stopped. The sessions stay."
        verb="Cancel it"
        onConfirm={cancel.run}
      />
      <ErrorNote error={cancel.error} />
    </>
  );
}

type MessageStatus = NonNullable<BatchSessionRecord["message_status"]>;

interface SessionsProps {
  readonly batchId: string;
  /** Changes when another message has a result. */
  readonly round: string;
}

function Sessions({ batchId, round }: SessionsProps) {
  const { client } = useAccount();
  const [status, setStatus] = useState<MessageStatus>();
  const list = useList(`sessions of ${batchId} ${status}`, (page) =>
    client.listBatchSessions(batchId, { ...page, ...(status === undefined ? {} : { message_status: status }) }),
  );
  useReloadOn(round, list.reload);
  useLive(updateEveryMs, list);
  return (
    <>
      <div className="section-head">
        <h2>Sessions</h2>
        <Filter label="First message" values={messageMachine.states} value={status} onChange={setStatus} />
      </div>
      <Table
        label="Sessions of the batch"
        list={list}
        keyOf={({ session_id: id }) => id}
        columns={columns}
        empty={<Empty title="No session has this status">Choose another status.</Empty>}
      />
    </>
  );
}

const columns = [
  { title: "Place", cell: ({ index }: BatchSessionRecord) => index + 1, isNumber: true },
  {
    title: "Prompt",
    cell: ({ session_id: id, name, prompt, message_status: status }: BatchSessionRecord) =>
      status === null ? (
        <span className="faint">{name ?? shortId(id)}</span>
      ) : (
        <Link data-row className="clip" to={`/sessions/${id}`} title={prompt ?? id}>
          {name ?? prompt ?? shortId(id)}
        </Link>
      ),
  },
  {
    title: "Result",
    cell: ({ newest_status: status, newest_message_id: id, message_id: firstId }: BatchSessionRecord) =>
      status === null ? (
        <span className="faint">deleted</span>
      ) : (
        <>
          <Link to={`/messages/${id}`}>
            <Status of={status} />
          </Link>{" "}
          {id !== firstId && <span className="faint">retried</span>}
        </>
      ),
  },
  {
    title: "Answer",
    cell: ({ answer, error, newest_status: status }: BatchSessionRecord) =>
      error !== null && status === "failed" ? (
        <span className="bad clip" title={error.message}>
          <code>{error.code}</code> {error.message}
        </span>
      ) : (
        <span className="clip">{answer && plainText(answer)}</span>
      ),
    isMinor: true,
  },
  {
    title: "Took",
    cell: ({ duration_ms: ms }: BatchSessionRecord) => (ms === null ? "" : durationText(ms)),
    isNumber: true,
    isMinor: true,
  },
];
