// Sessions, filtered by agent, status and metadata. The address has the filter, so it can be shared.

import type { SessionFilter } from "@dari/client";
import { sessionStatuses, type SessionStatus } from "@dari/contract";
import { useAccount } from "../data/account.ts";
import { useAgentNames } from "../data/agents.ts";
import { shortId } from "../data/format.ts";
import { useList } from "../data/load.ts";
import { changeQuery } from "../data/route.ts";
import { AgentField, TextFilter } from "../parts/choice.tsx";
import { Form } from "../parts/form.tsx";
import { Link } from "../parts/link.tsx";
import { Empty } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

export function SessionsPage({ query }: { readonly query: URLSearchParams }) {
  const { client } = useAccount();
  const filter = filterOf(query);
  const list = useList(`sessions ${query.toString()}`, (page) => client.listSessions({ ...filter, ...page }));
  const nameOf = useAgentNames();
  return (
    <Page title="Sessions">
      <Filters query={query} />
      <Table
        label="Sessions"
        list={list}
        keyOf={({ id }) => id}
        columns={[
          {
            title: "Session",
            cell: ({ id, name }) => (
              <Link data-row to={`/sessions/${id}`} title={id}>
                {name ?? <code>{shortId(id)}</code>}
              </Link>
            ),
          },
          { title: "Agent", cell: ({ agent_id: agentId }) => nameOf(agentId) },
          { title: "Status", cell: ({ status }) => <Status of={status} /> },
          {
            title: "Last message",
            cell: ({ last_message_status: status }) => (status === null ? "" : <Status of={status} />),
            isMinor: true,
          },
          { title: "Created", cell: ({ created_at: time }) => <Ago time={time} /> },
        ]}
        empty={<NoSessions isFiltered={query.size > 0} />}
      />
    </Page>
  );
}

function NoSessions({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) return <Empty title="No session matches">Clear the filters to see all of them.</Empty>;
  return (
    <Empty title="No sessions yet" command="dari session create <agent id>">
      Start one from an agent’s page, or from the terminal.
    </Empty>
  );
}

function filterOf(query: URLSearchParams): SessionFilter {
  const [agentId, status, metadata] = ["agent_id", "status", "metadata"].map((name) => query.get(name) || undefined);
  const [key = "", ...rest] = metadata?.split("=") ?? [];
  const value = rest.join("=");
  return {
    ...(agentId === undefined ? {} : { agentId }),
    ...(status === undefined ? {} : { status: status as SessionStatus }),
    ...(key === "" ? {} : { metadata: { [key]: value } }),
  };
}

function Filters({ query }: { readonly query: URLSearchParams }) {
  const change = (name: string, value: string): void => changeQuery("/sessions", query, name, value);
  return (
    <Form className="filters" role="search">
      <AgentField none="any" value={query.get("agent_id") ?? ""} onChange={(id) => change("agent_id", id)} />
      <label>
        Status
        <select value={query.get("status") ?? ""} onChange={(event) => change("status", event.target.value)}>
          <option value="">any</option>
          {sessionStatuses.map((status) => (
            <option key={status}>{status}</option>
          ))}
        </select>
      </label>
      <TextFilter
        label="Metadata"
        placeholder="key=value"
        value={query.get("metadata") ?? ""}
        onChange={(text) => change("metadata", text)}
      />
    </Form>
  );
}
