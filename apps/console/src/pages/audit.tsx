// The audit log: every recorded change, newest first, with who made it.

import type { AuditEntry } from "@dari/contract";
import { useAccount } from "../data/account.ts";
import { shortId } from "../data/format.ts";
import { useList, useLive, useLoaded } from "../data/load.ts";
import { Id } from "../parts/copyable.tsx";
import { Empty } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

/** Pause between two answers while the page is visible, in milliseconds. */
const updateEveryMs = 5_000;

export function AuditPage() {
  const { client } = useAccount();
  const list = useList("audit log", (page) => client.listAuditLog("current", page));
  const nameOf = useActorNames();
  useLive(updateEveryMs, list);
  return (
    <Page title="Audit log" says="Changes to the organization, newest first.">
      <Table
        label="Audit log"
        list={list}
        keyOf={({ id }) => id}
        columns={[
          { title: "Action", cell: ({ action }) => <code>{action}</code> },
          { title: "By", cell: (entry) => <span className="clip">{nameOf(entry)}</span> },
          { title: "Changed", cell: ({ target }) => <Id of={target} />, isMinor: true },
          { title: "Details", cell: ({ details }) => <Details of={details} />, isMinor: true, isWide: true },
          { title: "Time", cell: ({ created_at: time }) => <Ago time={time} /> },
        ]}
        empty={<Empty title="Nothing recorded yet">Changes to agents, keys, members and settings appear here.</Empty>}
      />
    </Page>
  );
}

function Details({ of }: { readonly of: AuditEntry["details"] }) {
  const pairs = Object.entries(of);
  if (pairs.length === 0) return null;
  return (
    <span className="clip faint" title={JSON.stringify(of, null, 2)}>
      {pairs.map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ")}
    </span>
  );
}

/** Returns a function that names who made a change, from the first pages of members and keys. */
function useActorNames(): (entry: AuditEntry) => string {
  const { client } = useAccount();
  const { value } = useLoaded("actors", async (signal) => {
    const [members, keys] = await Promise.all([
      client.listMembers("current", {}, { signal }),
      client.listApiKeys("current", {}, { signal }),
    ]);
    return new Map([
      ...members.data.map(({ id, email }) => [id, email] as const),
      ...keys.data.map(({ id, label }) => [id, label] as const),
    ]);
  });
  return ({ actor_member_id: memberId, actor_key_id: keyId }) => {
    const id = memberId ?? keyId;
    return id === null ? "the installation" : (value?.get(id) ?? shortId(id));
  };
}
