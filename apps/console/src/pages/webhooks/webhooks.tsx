// Webhook endpoints: their addresses, event types and status.

import type { WebhookEndpointRecord } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAgentNames } from "../../data/agents.ts";
import { useList } from "../../data/load.ts";
import { DialogButton } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { Secret } from "../../parts/secret.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Ago } from "../../parts/time.tsx";
import { EndpointForm, firstDraft, type EndpointDraft } from "./endpoint-form.tsx";

export function WebhooksPage() {
  const { client } = useAccount();
  const list = useList("webhooks", (page) => client.listWebhookEndpoints("current", page));
  const nameOf = useAgentNames();
  const [secret, setSecret] = useState<string>();
  const create = async ({ url, agentId, description, eventTypes }: EndpointDraft): Promise<void> => {
    const made = await client.createWebhookEndpoint({
      url,
      event_types: [...eventTypes],
      ...(agentId === "" ? {} : { agent_id: agentId }),
      ...(description.trim() === "" ? {} : { description }),
    });
    setSecret(made.secret);
    list.reload();
  };
  const add = (
    <DialogButton label="Add endpoint" tone="primary" title="New endpoint">
      {(close) => <EndpointForm draft={firstDraft} verb="Add it" save={create} onClose={close} />}
    </DialogButton>
  );
  return (
    <Page title="Webhooks" actions={add} says="Your URLs that receive events of sessions, signed and with retries.">
      <Table
        label="Webhook endpoints"
        list={list}
        keyOf={({ id }) => id}
        columns={columnsOf(nameOf)}
        empty={
          <Empty title="No webhooks yet" command="dari webhooks add https://example.com/hooks/dari">
            Add an address to be notified when messages end.
          </Empty>
        }
      />
      {secret !== undefined && (
        <Secret
          title="The endpoint’s secret"
          says="Use it to verify deliveries."
          secret={secret}
          onClose={() => setSecret(undefined)}
        />
      )}
    </Page>
  );
}

function columnsOf(nameOf: (agentId: string) => string) {
  return [
    {
      title: "URL",
      cell: ({ id, url, description }: WebhookEndpointRecord) => (
        <>
          <Link data-row className="clip" to={`/webhooks/${id}`} title={url}>
            {url}
          </Link>
          {description !== null && <div className="faint clip">{description}</div>}
        </>
      ),
    },
    { title: "Status", cell: (endpoint: WebhookEndpointRecord) => <EndpointStatus endpoint={endpoint} /> },
    {
      title: "Events",
      cell: ({ event_types: types }: WebhookEndpointRecord) => (
        <span title={types.join("\n")}>{types.length === 1 ? types[0] : `${types.length} types`}</span>
      ),
      isMinor: true,
    },
    {
      title: "Agent",
      cell: ({ agent_id: agentId }: WebhookEndpointRecord) => (agentId === null ? "every agent" : nameOf(agentId)),
      isMinor: true,
    },
    { title: "Created", cell: ({ created_at: time }: WebhookEndpointRecord) => <Ago time={time} />, isMinor: true },
  ];
}

export function EndpointStatus({ endpoint }: { readonly endpoint: WebhookEndpointRecord }) {
  const { status, disabled_reason: reason, failing_since: failingSince } = endpoint;
  if (status === "enabled" && failingSince === null) return <Status of="enabled" />;
  if (status === "enabled") return <Status of="failing" />;
  return (
    <>
      <Status of="disabled" /> <span className="faint">{reason === "manual" ? "" : reason}</span>
    </>
  );
}
