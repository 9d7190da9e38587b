// API keys: creates them with a label and scopes, shows them once, and revokes them.

import { apiKeyScopes, type ApiKeyScope } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useList } from "../data/load.ts";
import { ConfirmButton } from "../parts/dialog.tsx";
import { Form } from "../parts/form.tsx";
import { Empty, ErrorNote } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Secret } from "../parts/secret.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

export function KeysPage() {
  const { client } = useAccount();
  const list = useList("keys", (page) => client.listApiKeys("current", page));
  const revoke = useAction(async (id: string) => {
    await client.revokeApiKey(id);
    list.reload();
  });
  return (
    <Page title="API keys" says="A key acts for the organization, within its scopes. Its secret is shown once.">
      <NewKey onCreated={list.reload} />
      <ErrorNote error={revoke.error} />
      <Table
        label="API keys"
        list={list}
        keyOf={({ id }) => id}
        columns={[
          { title: "Label", cell: ({ label }) => label },
          { title: "Scopes", cell: ({ scopes }) => scopes.join(", ") },
          { title: "Last used", cell: ({ last_used_at: time }) => <Ago time={time} /> },
          {
            title: "Expires",
            cell: ({ expires_at: time }) => time?.slice(0, 10) ?? <span className="faint">never</span>,
            isMinor: true,
          },
          { title: "Created", cell: ({ created_at: time }) => <Ago time={time} />, isMinor: true },
          {
            title: "Revoke",
            isAction: true,
            cell: ({ id, label }) => (
              <ConfirmButton
                label="Revoke"
                of={`Revoke ${label}`}
                tone="quiet"
                title={`Revoke ${label}?`}
                says="Calls with this key are refused at once. If you signed in with it, this page is too."
                verb="Revoke it"
                onConfirm={() => revoke.run(id)}
              />
            ),
          },
        ]}
        empty={<Empty title="No keys" />}
      />
    </Page>
  );
}

function NewKey({ onCreated }: { readonly onCreated: () => void }) {
  const { client } = useAccount();
  const [label, setLabel] = useState("");
  const [scope, setScope] = useState<ApiKeyScope>("run");
  const [secret, setSecret] = useState<string>();
  const create = useAction(async () => {
    const { api_key: made } = await client.createApiKey({ label, scopes: [scope] });
    setSecret(made);
    setLabel("");
    onCreated();
  });
  return (
    <Form className="inline" onSubmit={create.run}>
      <label>
        Label
        <input data-search required maxLength={200} value={label} onChange={(event) => setLabel(event.target.value)} />
      </label>
      <label>
        Scope
        <select value={scope} onChange={(event) => setScope(event.target.value as ApiKeyScope)}>
          {apiKeyScopes.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <button type="submit" className="primary" disabled={create.isRunning}>
        Create
      </button>
      <ErrorNote error={create.error} />
      {secret !== undefined && <Secret title="The new key" secret={secret} onClose={() => setSecret(undefined)} />}
    </Form>
  );
}
