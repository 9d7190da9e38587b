// What agents can connect to. A destination is reached only if platform, operators, admins and agent all allow it.

import type { AgentRecord, EgressRecord } from "@dari/contract";
import type { ReactNode } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { useList, useLoaded } from "../../data/load.ts";
import { changeQuery } from "../../data/route.ts";
import { TextFilter } from "../../parts/choice.tsx";
import { ConfirmButton, DialogButton } from "../../parts/dialog.tsx";
import { Form } from "../../parts/form.tsx";
import { AgentHosts, Hosts } from "../../parts/hosts.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty, ErrorNote } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { Table } from "../../parts/table.tsx";
import { Ago } from "../../parts/time.tsx";
import { EgressForm } from "./egress-form.tsx";

export function EgressPage({ query }: { readonly query: URLSearchParams }) {
  const { organization, isOperator } = useAccount();
  const asked = query.get("organization") ?? "";
  return (
    <Page title="Egress" says="What agents can connect to. They reach a destination only if each rule below allows it.">
      {isOperator && (
        <Form className="filters" role="search">
          <TextFilter
            label="Another organization"
            placeholder="org_…"
            value={asked}
            onChange={(text) => changeQuery("/egress", query, "organization", text)}
          />
        </Form>
      )}
      <Settings key={asked} organizationId={asked === "" ? organization.id : asked} />
      {asked === "" && <Agents />}
    </Page>
  );
}

interface Say {
  readonly who: string;
  readonly reached: ReactNode;
  /** The setting's key in the API; undefined if it is set elsewhere. */
  readonly by?: keyof EgressRecord;
  readonly setting?: EgressRecord["operator"];
}

function saysOf({ operator, organization }: EgressRecord): Say[] {
  const workers = "what its workers' settings allow; private addresses only if a setting names them";
  return [
    { who: "The platform", reached: <span className="faint">{workers}</span> },
    { who: "Its operators", reached: <Reached setting={operator} />, by: "operator", setting: operator },
    { who: "The organization", reached: <Reached setting={organization} />, by: "organization", setting: organization },
  ];
}

function Reached({ setting }: { readonly setting: EgressRecord["operator"] }) {
  if (setting === null) return <span className="faint">not set: no restriction</span>;
  if (setting.mode === "off") return "nothing";
  return setting.mode === "open" ? "every public address" : <Hosts of={setting.hosts} />;
}

/** The rules of operators and admins for an organization. Each of them can change only their own. */
function Settings({ organizationId: id }: { readonly organizationId: string }) {
  const { client, isOperator } = useAccount();
  const { value, error, reload } = useLoaded(id, (signal) => client.getEgress(id, { signal }));
  const reset = useAction(async () => {
    await client.deleteEgress(id);
    reload();
  });
  const own = isOperator ? "operator" : "organization";
  const actionsOf = ({ by, setting = null }: Say): ReactNode =>
    by === own && (
      <>
        <DialogButton label={setting === null ? "Set" : "Change"} tone="quiet" title="What agents can connect to">
          {(close) => <EgressForm organizationId={id} setting={setting} onSaved={reload} onClose={close} />}
        </DialogButton>
        {setting !== null && (
          <ConfirmButton
            label="Reset"
            tone="quiet"
            title="Reset it?"
            says="From their next turns on, agents can connect to everything that the other rules allow."
            verb="Reset it"
            onConfirm={reset.run}
          />
        )}
      </>
    );
  return (
    <>
      <ErrorNote error={reset.error} />
      <Table
        label="Who decides what agents can reach"
        list={{ rows: value && saysOf(value), error, more: undefined, reload }}
        keyOf={({ who }) => who}
        columns={[
          { title: "Set by", cell: ({ who }) => <strong>{who}</strong> },
          { title: "Allowed", cell: ({ reached }) => reached },
          { title: "Changed", cell: ({ setting }) => setting && <Ago time={setting.updated_at} />, isMinor: true },
          { title: "Actions", isAction: true, cell: actionsOf },
        ]}
        empty={null}
      />
    </>
  );
}

/** The hosts that each agent's active version allows in its dari.yml. */
function Agents() {
  const { client } = useAccount();
  const list = useList("agents", (page) => client.listAgents(page));
  return (
    <>
      <h2>Agents</h2>
      <Table
        label="Agents"
        list={list}
        keyOf={({ id }) => id}
        columns={[
          {
            title: "Agent",
            cell: ({ id, name }) => (
              <Link data-row className="clip" to={`/agents/${id}`} title={name}>
                {name}
              </Link>
            ),
          },
          { title: "What its dari.yml allows", cell: (agent) => <Active agent={agent} /> },
        ]}
        empty={
          <Empty title="No agents yet">An agent can narrow it further with a list under egress in its dari.yml.</Empty>
        }
      />
    </>
  );
}

function Active({ agent: { id, active_version_id: version } }: { readonly agent: AgentRecord }) {
  const { client } = useAccount();
  const { value, error } = useLoaded(`${version}`, async (signal) =>
    version === null ? undefined : client.getVersion(id, version, { signal }),
  );
  if (version === null) return <span className="faint">no version is active</span>;
  return value === undefined ? <ErrorNote error={error} /> : <AgentHosts manifest={value.manifest} />;
}
