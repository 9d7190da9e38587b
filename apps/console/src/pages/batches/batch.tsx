// One batch: the results of its first messages so far, and its sessions.

import type { BatchSessionRecord, SessionBatchRecord } from "@dari/contract";
import { messageMachine } from "@dari/domain";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { useAgentNames } from "../../data/agents.ts";
import { countText, sessionsText, shortId } from "../../data/format.ts";
import { useList, useLoaded, useReloadOn } from "../../data/load.ts";
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

/** How often a batch that has not ended is loaded again, in milliseconds. */
const lookEveryMs = 2_000;

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
      actions={record.status === "in_progress" && <Cancel batchId={batchId} onChanged={batch.reload} />}
    >
      <ErrorNote error={batch.error} retry={batch.reload} />
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
        says="Waiting first messages end at once, running ones when they have stopped. The sessions stay."
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
    client.listBatchSessions(batchId, { ...page, ...(status === undefined ? {} : { messageStatus: status }) }),
  );
  useReloadOn(round, list.reload);
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
        empty={<Empty title="None has this status">Choose another status.</Empty>}
      />
    </>
  );
}

const columns = [
  { title: "Place", cell: ({ index }: BatchSessionRecord) => index + 1, isNumber: true },
  {
    title: "Session",
    cell: ({ session_id: id, name, message_status: status }: BatchSessionRecord) =>
      status === null ? (
        <span className="faint">{name ?? shortId(id)}</span>
      ) : (
        <Link data-row to={`/sessions/${id}`} title={id}>
          {name ?? <code>{shortId(id)}</code>}
        </Link>
      ),
  },
  {
    title: "First message",
    cell: ({ message_status: status, message_id: id }: BatchSessionRecord) =>
      status === null ? (
        <span className="faint">deleted</span>
      ) : (
        <Link to={`/messages/${id}`}>
          <Status of={status} />
        </Link>
      ),
  },
  {
    title: "Error",
    cell: ({ error }: BatchSessionRecord) =>
      error !== null && (
        <>
          <code>{error.code}</code> <span className="faint">{error.message}</span>
        </>
      ),
    isMinor: true,
  },
];
