// Batches: many sessions of an agent, started by one call.

import type { SessionBatchSummary } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useAgentNames } from "../../data/agents.ts";
import { countText, shortId } from "../../data/format.ts";
import { useList, useLive } from "../../data/load.ts";
import { DialogButton } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Ago } from "../../parts/time.tsx";
import { BatchForm } from "./batch-form.tsx";

/** Pause between two answers while the page is visible, in milliseconds. */
const updateEveryMs = 3_000;

export function BatchesPage() {
  const { client } = useAccount();
  const list = useList("batches", (page) => client.listSessionBatches(page));
  useLive(updateEveryMs, list);
  const nameOf = useAgentNames();
  const add = (
    <DialogButton label="New batch" tone="primary" title="New batch">
      {(close) => <BatchForm onClose={close} />}
    </DialogButton>
  );
  return (
    <Page
      title="Batches"
      actions={add}
      says="Many sessions of an agent, each with a first message, started by one call."
    >
      <Table
        label="Batches"
        list={list}
        keyOf={({ id }) => id}
        columns={columnsOf(nameOf)}
        empty={
          <Empty title="No batch yet" command="dari batches create questions.txt --agent-id <agent id>">
            Give an agent a list of texts. Each one starts its own session.
          </Empty>
        }
      />
    </Page>
  );
}

function columnsOf(nameOf: (agentId: string) => string) {
  return [
    {
      title: "Batch",
      cell: ({ id, name }: SessionBatchSummary) => (
        <Link data-row className="clip" to={`/batches/${id}`} title={id}>
          {name ?? <code>{shortId(id)}</code>}
        </Link>
      ),
    },
    {
      title: "Status",
      cell: ({ status, cancel_requested_at: cancelled }: SessionBatchSummary) => (
        <Status of={status === "ended" && cancelled !== null ? "cancelled" : status} />
      ),
    },
    { title: "Agent", cell: ({ agent_id: agentId }: SessionBatchSummary) => nameOf(agentId), isMinor: true },
    { title: "Sessions", cell: ({ total }: SessionBatchSummary) => countText(total), isNumber: true },
    { title: "Created", cell: ({ created_at: time }: SessionBatchSummary) => <Ago time={time} /> },
  ];
}
