// Sessions by their newest message. The address has the filters, so it can be shared. The list updates itself.

import type { Client } from "@dari/client";
import { sessionStarters, sessionStatuses, type SessionSummary } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { countText, durationText, plainText, shortId } from "../../data/format.ts";
import { useList, useLive } from "../../data/load.ts";
import { Link } from "../../parts/link.tsx";
import { Empty } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Ago } from "../../parts/time.tsx";
import { Filters } from "./filters.tsx";

/** Pause between two answers while the page is visible, in milliseconds. */
const updateEveryMs = 750;

export function SessionsPage({ query }: { readonly query: URLSearchParams }) {
  const { client } = useAccount();
  const filter = filterOf(query);
  const list = useList(`sessions ${query.toString()}`, (page) => client.listSessionSummaries({ ...filter, ...page }));
  useLive(updateEveryMs, list);
  return (
    <Page title="Sessions">
      <Filters query={query} />
      <Table
        label="Sessions"
        list={list}
        keyOf={({ id }) => id}
        columns={columns}
        empty={<NoSessions isFiltered={query.size > 0} />}
      />
    </Page>
  );
}

const columns = [
  { title: "Session", cell: (row: SessionSummary) => <Title of={row} />, isWide: true },
  { title: "Status", cell: (row: SessionSummary) => <Status of={statusOf(row)} /> },
  {
    title: "Agent, started by",
    cell: (row: SessionSummary) => (
      <span className="two-lines">
        <span className="clip" title={row.agent_name}>
          {row.agent_name}
        </span>
        <Starter of={row} />
      </span>
    ),
    isMinor: true,
  },
  {
    title: "Messages",
    cell: ({ messages, failed }: SessionSummary) => (
      <span className="two-lines">
        {countText(messages)}
        {failed > 0 && <span className="bad">{countText(failed)} failed</span>}
      </span>
    ),
    isNumber: true,
    isMinor: true,
  },
  {
    title: "Tokens",
    cell: ({ tokens }: SessionSummary) => (tokens === 0 ? "" : countText(tokens)),
    isNumber: true,
    isMinor: true,
  },
  {
    title: "Ran",
    cell: ({ turn_seconds: seconds }: SessionSummary) => (seconds === 0 ? "" : durationText(seconds * 1_000)),
    isNumber: true,
    isMinor: true,
  },
  {
    title: "Last activity",
    cell: ({ last_activity_at: time }: SessionSummary) => (
      <span className="moment">
        <Ago time={time} />
      </span>
    ),
  },
];

function Title({ of: { id, title, last_words: last } }: { readonly of: SessionSummary }) {
  const words = last === null ? "" : plainText(last);
  return (
    <span className="two-lines">
      <Link data-row className="clip" to={`/sessions/${id}`} title={id}>
        {title ?? <code>{shortId(id)}</code>}
      </Link>
      {words !== "" && words !== title && <span className="faint clip">{words}</span>}
    </span>
  );
}

/** An open session has the status of its newest message: that says more than `idle`. */
function statusOf({ status, last_message_status: message }: SessionSummary): string {
  if (status === "active") return message ?? status;
  return status === "idle" && message !== null ? message : status;
}

const creatorPlaces = { batch: "/batches/", schedule: "/schedules/" } as const;

/** Shown instead of names that the signed-in key cannot read. */
const creatorKinds = { member: "a member", api_key: "an API key" } as const;

function Starter({ of: { created_by: creator } }: { readonly of: SessionSummary }) {
  if (creator === null) return null;
  const { type, id, name } = creator;
  if (type === "member" || type === "api_key") {
    const text = name ?? creatorKinds[type];
    return (
      <span className="faint clip" title={`${text}\n${id}`}>
        {text}
      </span>
    );
  }
  const text = name ?? shortId(id);
  if (type === "trigger") {
    return (
      <span className="faint clip" title={`${text}\n${id}`}>
        trigger: {text}
      </span>
    );
  }
  return (
    <Link className="faint clip" to={`${creatorPlaces[type]}${id}`} title={text}>
      {type}: {text}
    </Link>
  );
}

function NoSessions({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No session matches">
        <Link to="/sessions">Show all sessions</Link>
      </Empty>
    );
  }
  return (
    <Empty title="No sessions yet" command="dari session create <agent id>">
      Start one from an agent’s page, or from the terminal.
    </Empty>
  );
}

function filterOf(query: URLSearchParams): NonNullable<Parameters<Client["listSessionSummaries"]>[0]> {
  const [agentId, metadata, text] = ["agent_id", "metadata", "q"].map((name) => query.get(name)?.trim() || undefined);
  const status = sessionStatuses.find((one) => one === query.get("status"));
  const startedBy = sessionStarters.find((one) => one === query.get("started_by"));
  const [key = "", ...rest] = metadata?.split("=") ?? [];
  return {
    ...(agentId === undefined ? {} : { agent_id: agentId }),
    ...(status === undefined ? {} : { status }),
    ...(startedBy === undefined ? {} : { started_by: startedBy }),
    ...(text === undefined ? {} : { q: text }),
    ...(key === "" ? {} : { metadata: { [key]: rest.join("=") } }),
  };
}
