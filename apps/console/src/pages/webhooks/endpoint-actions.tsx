// What can be done with an endpoint: test it, change it, renew its secret, disable and delete it.

import type { WebhookEndpointRecord } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { goTo } from "../../data/route.ts";
import { Confirm, Dialog } from "../../parts/dialog.tsx";
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
      <Remove id={id} />
      <ErrorNote error={test.error ?? disable.error} />
    </>
  );
}

function Edit({ endpoint, onChanged }: Pick<EndpointActionsProps, "endpoint" | "onChanged">) {
  const { client } = useAccount();
  const [isAsked, setAsked] = useState(false);
  const close = (): void => setAsked(false);
  const change = useAction(async ({ url, description, eventTypes }: EndpointDraft) => {
    const said = description.trim() === "" ? null : description;
    await client.updateWebhookEndpoint(endpoint.id, { url, description: said, event_types: [...eventTypes] });
    close();
    onChanged();
  });
  return (
    <>
      <button type="button" onClick={() => setAsked(true)}>
        Edit
      </button>
      {isAsked && (
        <Dialog title="Edit the endpoint" onClose={close}>
          <EndpointForm draft={draftOf(endpoint)} verb="Save" save={change} onClose={close} keepsAgent />
        </Dialog>
      )}
    </>
  );
}

function draftOf({ url, description, event_types: eventTypes }: WebhookEndpointRecord): EndpointDraft {
  return { url, description: description ?? "", agentId: "", eventTypes };
}

function Rotate({ id, onChanged }: { readonly id: string; readonly onChanged: () => void }) {
  const { client } = useAccount();
  const [isAsked, setAsked] = useState(false);
  const [secret, setSecret] = useState<string>();
  const rotate = useAction(async () => {
    setSecret((await client.rotateWebhookSecret(id)).secret);
    onChanged();
  });
  return (
    <>
      <button type="button" onClick={() => setAsked(true)} disabled={rotate.isRunning}>
        Rotate secret
      </button>
      <ErrorNote error={rotate.error} />
      {isAsked && (
        <Confirm
          title="Rotate the secret?"
          says="A new secret is made and shown once. The old one signs beside it for 24 hours."
          verb="Rotate it"
          onConfirm={rotate.run}
          onClose={() => setAsked(false)}
        />
      )}
      {secret !== undefined && <Secret title="The new secret" secret={secret} onClose={() => setSecret(undefined)} />}
    </>
  );
}

function Remove({ id }: { readonly id: string }) {
  const { client } = useAccount();
  const [isAsked, setAsked] = useState(false);
  const remove = useAction(async () => {
    await client.deleteWebhookEndpoint(id);
    goTo("/webhooks");
  });
  return (
    <>
      <button type="button" className="danger" onClick={() => setAsked(true)} disabled={remove.isRunning}>
        Delete
      </button>
      <ErrorNote error={remove.error} />
      {isAsked && (
        <Confirm
          title="Delete this endpoint?"
          says="What has not been delivered is not sent any more. Its delivery log goes with it."
          verb="Delete it"
          onConfirm={remove.run}
          onClose={() => setAsked(false)}
        />
      )}
    </>
  );
}
