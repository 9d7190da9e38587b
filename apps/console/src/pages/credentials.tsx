// Credentials: names, dates, and whether agents or only named hosts get the value. The value is never shown.

import type { CredentialRecord } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useList } from "../data/load.ts";
import { ConfirmButton, DialogButton } from "../parts/dialog.tsx";
import { Form, FormEnd } from "../parts/form.tsx";
import { Hosts, HostsField, hostsOf } from "../parts/hosts.tsx";
import { Empty, ErrorNote } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

export function CredentialsPage() {
  const { client } = useAccount();
  const list = useList("credentials", (page) => client.listCredentials("current", page));
  const remove = useAction(async (name: string) => {
    await client.deleteCredential(name);
    list.reload();
  });
  return (
    <Page
      title="Credentials"
      says={
        <>
          Agents get those that their <code>dari.yml</code> names, in their environment. No value is shown again.
        </>
      }
      actions={
        <DialogButton label="Store a credential" tone="primary" title="Store a credential">
          {(close) => <CredentialForm onStored={list.reload} onClose={close} />}
        </DialogButton>
      }
    >
      <ErrorNote error={remove.error} />
      <Table
        label="Credentials"
        list={list}
        keyOf={({ id }) => id}
        columns={columnsOf(remove.run, list.reload)}
        empty={<Empty title="No credentials" command="dari credentials add OPENAI_API_KEY --value-stdin" />}
      />
    </Page>
  );
}

function columnsOf(remove: (name: string) => void, reload: () => void) {
  return [
    { title: "Name", cell: ({ name }: CredentialRecord) => <code>{name}</code> },
    {
      title: "Agents get",
      cell: ({ hosts }: CredentialRecord) =>
        hosts === null ? (
          "the value"
        ) : (
          <>
            a placeholder; the value goes to
            <Hosts of={hosts} />
          </>
        ),
    },
    { title: "Created", cell: ({ created_at: time }: CredentialRecord) => <Ago time={time} />, isMinor: true },
    { title: "Changed", cell: ({ updated_at: time }: CredentialRecord) => <Ago time={time} />, isMinor: true },
    {
      title: "Actions",
      isAction: true,
      cell: (credential: CredentialRecord) => (
        <>
          <DialogButton
            label="Replace"
            of={`Replace ${credential.name}`}
            tone="quiet"
            title={`Replace ${credential.name}`}
          >
            {(close) => <CredentialForm replaced={credential} onStored={reload} onClose={close} />}
          </DialogButton>
          <ConfirmButton
            label="Remove"
            of={`Remove ${credential.name}`}
            tone="quiet"
            title={`Remove ${credential.name}?`}
            says="Messages to agents that need it fail until it is stored again."
            verb="Remove it"
            onConfirm={() => remove(credential.name)}
          />
        </>
      ),
    },
  ];
}

interface CredentialFormProps {
  readonly replaced?: CredentialRecord;
  readonly onStored: () => void;
  readonly onClose: () => void;
}

function CredentialForm({ replaced, onStored, onClose }: CredentialFormProps) {
  const { client } = useAccount();
  const [name, setName] = useState(replaced?.name ?? "");
  const [value, setValue] = useState("");
  const [before] = useState(replaced?.hosts?.join("\n") ?? "");
  const [text, setText] = useState(before);
  const store = useAction(async () => {
    const hosts = hostsOf(text);
    // Unchanged hosts are not sent, so hosts that another person has set since then stay.
    const changed = hosts.join("\n") === before ? {} : { hosts: hosts.length > 0 ? hosts : null };
    await client.putCredential(name, { value, ...changed });
    onClose();
    onStored();
  });
  return (
    <Form className="stacked" onSubmit={store.run}>
      {replaced === undefined && (
        <label>
          Name
          <input
            required
            autoFocus
            pattern="[A-Z_][A-Z0-9_]*"
            title="Capital letters, digits and _"
            placeholder="OPENAI_API_KEY"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
      )}
      <label>
        Value
        <textarea
          className="secret"
          required
          autoFocus={replaced !== undefined}
          rows={2}
          autoComplete="off"
          spellCheck={false}
          value={value}
          onChange={(event) => setValue(event.target.value)}
        />
      </label>
      <HostsField
        label="Only for these hosts"
        hint="only HTTPS requests to these hosts get the value, agents get a placeholder; empty: agents get the value"
        value={text}
        onChange={setText}
      />
      <FormEnd action={store} verb="Store" onClose={onClose} />
    </Form>
  );
}
