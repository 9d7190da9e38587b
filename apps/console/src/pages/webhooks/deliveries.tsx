// The deliveries of one endpoint with their results. A delivery can be sent again.

import type { WebhookDeliveryRecord } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { durationText } from "../../data/format.ts";
import { useList, useReloadOn, useReloadWhile } from "../../data/load.ts";
import { Filter } from "../../parts/choice.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty, ErrorNote } from "../../parts/notes.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Ago } from "../../parts/time.tsx";

type DeliveryStatus = WebhookDeliveryRecord["status"];
const statuses: readonly DeliveryStatus[] = ["pending", "delivered", "failed", "cancelled"];
/** How often the list is loaded again while a delivery is due soon, in milliseconds. */
const lookEveryMs = 2_000;
/** A delivery is due soon within this time, in milliseconds. */
const nearMs = 10_000;

interface DeliveriesProps {
  readonly endpointId: string;
  /** Changes when a delivery was sent from this page. */
  readonly round: number;
}

export function Deliveries({ endpointId, round }: DeliveriesProps) {
  const { client } = useAccount();
  const [status, setStatus] = useState<DeliveryStatus>();
  const list = useList(`deliveries to ${endpointId} ${status}`, (page) =>
    client.listWebhookDeliveries(endpointId, "current", { ...page, ...(status === undefined ? {} : { status }) }),
  );
  const { reload, rows } = list;
  const resend = useAction(async (deliveryId: string) => {
    await client.resendWebhookDelivery(endpointId, deliveryId);
    reload();
  });
  useReloadOn(round, reload);
  useReloadWhile(rows?.some(isNear) ?? false, lookEveryMs, list);
  return (
    <>
      <div className="section-head">
        <h2>Deliveries</h2>
        <Filter label="Status" values={statuses} value={status} onChange={setStatus} />
      </div>
      <ErrorNote error={resend.error} />
      <Table
        label="Deliveries"
        list={list}
        keyOf={({ id }) => id}
        columns={columnsOf(resend.run)}
        empty={
          <Empty title={status === undefined ? "Nothing was sent yet" : `No delivery is ${status}`}>
            {status === undefined ? "Send a test to see whether the receiver is there." : "Choose another status."}
          </Empty>
        }
      />
    </>
  );
}

/** Whether the next attempt is soon or running. A delivery that waits for hours is not polled. */
function isNear({ status, next_attempt_at: next }: WebhookDeliveryRecord): boolean {
  return status === "pending" && (next === null || Date.parse(next) - Date.now() < nearMs);
}

function columnsOf(resend: (deliveryId: string) => void) {
  return [
    {
      title: "Event",
      cell: ({ type, message_id: messageId, session_id: sessionId }: WebhookDeliveryRecord) => (
        <>
          <code>{type}</code>
          {messageId !== null && (
            <div>
              <Link to={`/messages/${messageId}`}>its message</Link>
            </div>
          )}
          {messageId === null && sessionId !== null && (
            <div>
              <Link to={`/sessions/${sessionId}`}>its session</Link>
            </div>
          )}
        </>
      ),
    },
    { title: "Status", cell: ({ status }: WebhookDeliveryRecord) => <Status of={status} /> },
    { title: "Answer", cell: (delivery: WebhookDeliveryRecord) => <Answer delivery={delivery} /> },
    { title: "Attempts", cell: ({ attempts }: WebhookDeliveryRecord) => attempts, isMinor: true, isNumber: true },
    {
      title: "When",
      cell: ({ created_at: created, attempted_at: attempted, next_attempt_at: next }: WebhookDeliveryRecord) => (
        <>
          <Ago time={attempted ?? created} />
          {next !== null && (
            <div className="faint">
              again <Ago time={next} />
            </div>
          )}
        </>
      ),
    },
    {
      title: "Resend",
      isAction: true,
      cell: ({ id, type }: WebhookDeliveryRecord) => (
        <button type="button" className="quiet" onClick={() => resend(id)} aria-label={`Resend ${type}`}>
          Resend
        </button>
      ),
    },
  ];
}

/** The receiver's reply, shown as plain text because a stranger wrote it. */
function Answer({ delivery }: { readonly delivery: WebhookDeliveryRecord }) {
  const { response_status: answered, duration_ms: ms, error, response_excerpt: excerpt } = delivery;
  if (answered === null && error === null) return <span className="faint">none yet</span>;
  return (
    <>
      {answered !== null && <code>{answered}</code>} {ms !== null && <span className="faint">{durationText(ms)}</span>}
      {error !== null && <div>{error}</div>}
      {excerpt !== null && excerpt !== "" && (
        <details>
          <summary>Reply</summary>
          <pre className="log" tabIndex={0} role="region" aria-label="Reply of the receiver">
            {excerpt}
          </pre>
        </details>
      )}
    </>
  );
}
