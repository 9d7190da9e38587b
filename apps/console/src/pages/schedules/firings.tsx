// The results of a schedule's due times, newest first.

import type { FiringRecord } from "@dari/contract";
import { firingOutcomes } from "@dari/domain";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { minuteText, momentText } from "../../data/format.ts";
import { useList, useReloadOn, useReloadWhile } from "../../data/load.ts";
import { Filter } from "../../parts/choice.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty } from "../../parts/notes.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";

/** How often the list is loaded again while a sent message has not ended, in milliseconds. */
const lookEveryMs = 2_000;

interface FiringsProps {
  readonly scheduleId: string;
  /** Changes when there is another firing. */
  readonly lastFired: string | null;
}

export function Firings({ scheduleId, lastFired }: FiringsProps) {
  const { client } = useAccount();
  const [outcome, setOutcome] = useState<FiringRecord["outcome"]>();
  const list = useList(`firings of ${scheduleId} ${outcome}`, (page) =>
    client.listScheduleFirings(scheduleId, { ...page, ...(outcome === undefined ? {} : { outcome }) }),
  );
  const { reload, rows } = list;
  useReloadOn(lastFired, reload);
  useReloadWhile(rows?.some(isOpen) ?? false, lookEveryMs, list);
  return (
    <>
      <div className="section-head">
        <h2>Due times</h2>
        <Filter label="Outcome" values={firingOutcomes} value={outcome} onChange={setOutcome} />
      </div>
      <Table
        label="Due times"
        list={list}
        keyOf={({ id }) => id}
        columns={columns}
        empty={
          <Empty title={outcome === undefined ? "It was not due yet" : `No due time was ${outcome}`}>
            {outcome === undefined ? "Each due time has a record here, for 14 days." : "Choose another outcome."}
          </Empty>
        }
      />
    </>
  );
}

function isOpen({ message_status: status }: FiringRecord): boolean {
  return status === "queued" || status === "running";
}

const columns = [
  {
    title: "Due",
    cell: ({ due_at: time }: FiringRecord) => (
      <time dateTime={time} title={momentText(time)}>
        {minuteText(time)}
      </time>
    ),
  },
  {
    title: "Outcome",
    cell: ({ outcome, missed_count: missed }: FiringRecord) => (
      <>
        <Status of={outcome} /> {missed !== null && missed > 1 && <span className="faint">{missed} times</span>}
      </>
    ),
  },
  {
    title: "Message",
    cell: ({ message_id: id, message_status: status }: FiringRecord) =>
      id === null ? (
        <span className="faint">none</span>
      ) : (
        <Link data-row to={`/messages/${id}`}>
          {status === null ? "its message" : <Status of={status} />}
        </Link>
      ),
  },
  {
    title: "Why",
    cell: ({ reason }: FiringRecord) =>
      reason !== null && (
        <>
          <code>{reason.code}</code> <span className="faint">{reason.message}</span>
        </>
      ),
  },
];
