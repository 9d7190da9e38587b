// Sessions, filtered by agent, status and metadata. The filter is in the address, so that it can be shared.

import type { SessionFilter } from "@dari/client";
import { sessionStatuses, type AgentRecord, type SessionStatus } from "@dari/contract";
import { useAccount } from "../data/account.ts";
import { useList, useLoaded } from "../data/load.ts";
import { goTo } from "../data/route.ts";
import { shortId } from "../data/format.ts";
import { Link } from "../parts/link.tsx";
import { Empty } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

/** So many agents are offered by name in the filter, and named in the rows. */
const namedAgents = 100;

export function SessionsPage({ query }: { readonly query: URLSearchParams }) {
  const { client } = useAccount();
  const filter = filterOf(query);
  const list = useList(`sessions ${query.toString()}`, (page) => client.listSessions({ ...filter, ...page }));
  const { value: agents } = useLoaded("agents by name", (signal) =>
    client.listAgents({ limit: namedAgents }, { signal }),
  );
  const names = new Map(agents?.data.map(({ id, name }) => [id, name]));
  return (
    <Page title="Sessions">
      <Filters query={query} agents={agents?.data ?? []} />
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
          { title: "Agent", cell: ({ agent_id: agent }) => names.get(agent) ?? <code>{shortId(agent)}</code> },
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
  const [key = "", value = ""] = metadata?.split("=", 2) ?? [];
  return {
    ...(agentId === undefined ? {} : { agentId }),
    ...(status === undefined ? {} : { status: status as SessionStatus }),
    ...(key === "" ? {} : { metadata: { [key]: value } }),
  };
}

interface FiltersProps {
  readonly query: URLSearchParams;
  readonly agents: readonly AgentRecord[];
}

function Filters({ query, agents }: FiltersProps) {
  const change = (name: string, value: string): void => {
    const next = new URLSearchParams(query);
    if (value === "") next.delete(name);
    else next.set(name, value);
    goTo(`/sessions${next.size === 0 ? "" : `?${next.toString()}`}`, { replace: true });
  };
  const agentId = query.get("agent_id") ?? "";
  return (
    <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label>
        Agent
        <select value={agentId} onChange={(event) => change("agent_id", event.target.value)}>
          <option value="">any</option>
          {agentId !== "" && !agents.some(({ id }) => id === agentId) && <option value={agentId}>{agentId}</option>}
          {agents.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Status
        <select value={query.get("status") ?? ""} onChange={(event) => change("status", event.target.value)}>
          <option value="">any</option>
          {sessionStatuses.map((status) => (
            <option key={status}>{status}</option>
          ))}
        </select>
      </label>
      <label>
        Metadata
        <input
          data-search
          type="search"
          placeholder="key=value"
          defaultValue={query.get("metadata") ?? ""}
          onKeyDown={(event) => event.key === "Enter" && change("metadata", event.currentTarget.value.trim())}
        />
      </label>
    </form>
  );
}
