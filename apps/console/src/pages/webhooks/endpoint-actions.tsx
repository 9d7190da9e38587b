// Actions on an endpoint: test, change, rotate the secret, disable, delete.

import type { WebhookEndpointRecord } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { changedFields } from "../../data/changed-fields.ts";
import { goTo } from "../../data/route.ts";
import { ConfirmButton, DialogButton } from "../../parts/dialog.tsx";
import { ErrorNote } from "../../parts/notes.tsx";
import { Secret } from "../../parts/secret.tsx";
import { EndpointForm, type EndpointDraft } from "./endpoint-form.tsx";

interface EndpointActionsProps {
  readonly endpoint: WebhookEndpointRecord;
  readonly onChanged: () => void;
  readonly onTested: () => void;
}

export function EndpointActions({ endpoint, onChanged, onTested }: EndpointActionsProps) {
  const { client } = useAccount();
  const { id, status } = endpoint;
  const isEnabled = status === "enabled";
  const test = useAction(async () => {
    await client.testWebhookEndpoint(id);
    onTested();
  });
  const disable = useAction(async () => {
    await client.updateWebhookEndpoint(id, { status: "disabled" });
    onChanged();
  });
  const remove = useAction(async () => {
    await client.deleteWebhookEndpoint(id);
    goTo("/webhooks");
  });
  return (
    <>
      <button type="button" onClick={test.run} disabled={test.isRunning || !isEnabled}>
        Send a test
      </button>
      <Edit endpoint={endpoint} onChanged={onChanged} />
      <Rotate id={id} onChanged={onChanged} />
      {isEnabled && (
        <button type="button" onClick={disable.run} disabled={disable.isRunning}>
          Disable
        </button>
      )}
      <ConfirmButton
        label="Delete"
        tone="danger"
        isOff={remove.isRunning}
        title="Delete this endpoint?"
        says="Pending deliveries are not sent, and the delivery log is deleted."
        verb="Delete it"
        onConfirm={remove.run}
      />
      <ErrorNote error={test.error ?? disable.error ?? remove.error} />
    </>
  );
}

function Edit({ endpoint, onChanged }: Pick<EndpointActionsProps, "endpoint" | "onChanged">) {
  const { client } = useAccount();
  const save = async (draft: EndpointDraft, first: EndpointDraft): Promise<void> => {
    const fields = changedFields(fieldsOf(first), fieldsOf(draft));
    if (fields !== undefined) await client.updateWebhookEndpoint(endpoint.id, fields);
    onChanged();
  };
  return (
    <DialogButton label="Edit" title="Edit the endpoint">
      {(close) => <EndpointForm draft={draftOf(endpoint)} verb="Save" save={save} onClose={close} keepsAgent />}
    </DialogButton>
  );
}

function fieldsOf({ url, description, eventTypes }: EndpointDraft) {
  return { url, description: description.trim() === "" ? null : description, event_types: [...eventTypes] };
}

function draftOf({ url, description, event_types: eventTypes }: WebhookEndpointRecord): EndpointDraft {
  return { url, description: description ?? "", agentId: "", eventTypes };
}

function Rotate({ id, onChanged }: { readonly id: string; readonly onChanged: () => void }) {
  const { client } = useAccount();
  const [secret, setSecret] = useState<string>();
  const rotate = useAction(async () => {
    setSecret((await client.rotateWebhookSecret(id)).secret);
    onChanged();
  });
  return (
    <>
      <ConfirmButton
        label="Rotate secret"
        isOff={rotate.isRunning}
        title="Rotate the secret?"
        says="A new secret is created and shown once. For 24 hours, deliveries are signed with both."
        verb="Rotate it"
        onConfirm={rotate.run}
      />
      <ErrorNote error={rotate.error} />
      {secret !== undefined && <Secret title="The new secret" secret={secret} onClose={() => setSecret(undefined)} />}
    </>
  );
}
