// One webhook endpoint: its status, event types, secret and deliveries.

import type { WebhookEndpointRecord } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { useAgentNames } from "../../data/agents.ts";
import { useLoaded } from "../../data/load.ts";
import { Id } from "../../parts/copyable.tsx";
import { ErrorNote } from "../../parts/notes.tsx";
import { Page, Pending } from "../../parts/page.tsx";
import { Ago } from "../../parts/time.tsx";
import { Deliveries } from "./deliveries.tsx";
import { EndpointActions } from "./endpoint-actions.tsx";
import { EndpointStatus } from "./webhooks.tsx";

const above = { to: "/webhooks", label: "Webhooks" };

export function EndpointPage({ endpointId }: { readonly endpointId: string }) {
  const { client } = useAccount();
  const endpoint = useLoaded(endpointId, (signal) => client.getWebhookEndpoint(endpointId, "current", { signal }));
  const [deliveredAgain, setDeliveredAgain] = useState(0);
  if (endpoint.value === undefined) return <Pending of={endpoint} title="Endpoint" above={above} />;
  const record = endpoint.value;
  return (
    <Page
      title={hostOf(record.url)}
      beside={<EndpointStatus endpoint={record} />}
      above={above}
      actions={
        <EndpointActions
          endpoint={record}
          onChanged={endpoint.reload}
          onTested={() => setDeliveredAgain((count) => count + 1)}
        />
      }
    >
      <ErrorNote error={endpoint.error} retry={endpoint.reload} />
      <Notice endpoint={record} onChanged={endpoint.reload} />
      <Facts endpoint={record} />
      <Deliveries endpointId={endpointId} round={deliveredAgain} />
    </Page>
  );
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

const reasons: Readonly<Record<NonNullable<WebhookEndpointRecord["disabled_reason"]>, string>> = {
  manual: "A member disabled it.",
  failing: "Every attempt failed for five days. Check that the receiver answers, then enable it.",
  gone: "Its receiver answered 410 Gone. If the receiver should get events again, enable it.",
  backlog: "Too many deliveries waited for it. Answer before the work is done, or choose fewer events.",
};

/** Shows why the endpoint is disabled, or soon will be. */
function Notice({ endpoint, onChanged }: { readonly endpoint: WebhookEndpointRecord; readonly onChanged: () => void }) {
  const { client } = useAccount();
  const { id, status, disabled_reason: reason, failing_since: failingSince } = endpoint;
  const enable = useAction(async () => {
    await client.updateWebhookEndpoint(id, { status: "enabled" });
    onChanged();
  });
  if (status === "disabled") {
    return (
      <div className="note bad" role="status">
        <span>
          <strong>Nothing is delivered.</strong> {reasons[reason ?? "manual"]} Events that happen while it is disabled
          are never sent.
        </span>
        <button type="button" onClick={enable.run} disabled={enable.isRunning}>
          Enable
        </button>
        <ErrorNote error={enable.error} />
      </div>
    );
  }
  if (failingSince === null) return null;
  return (
    <p className="note wait" role="status">
      <span>
        Attempts fail. The first that did was <Ago time={failingSince} />; after five days without a success the
        endpoint is disabled.
      </span>
    </p>
  );
}

function Facts({ endpoint }: { readonly endpoint: WebhookEndpointRecord }) {
  const nameOf = useAgentNames();
  const { id, url, description, agent_id: agentId, event_types: types, old_secret_expires_at: oldUntil } = endpoint;
  return (
    <dl className="properties">
      <dt>URL</dt>
      <dd>
        <code>{url}</code>
      </dd>
      {description !== null && (
        <>
          <dt>Description</dt>
          <dd>{description}</dd>
        </>
      )}
      <dt>Events</dt>
      <dd>
        <ul className="chips">
          {types.map((type) => (
            <li key={type} className="tag">
              <code>{type}</code>
            </li>
          ))}
        </ul>
      </dd>
      <dt>Agent</dt>
      <dd>{agentId === null ? "every agent" : nameOf(agentId)}</dd>
      <dt>Id</dt>
      <dd>
        <Id of={id} />
      </dd>
      {oldUntil !== null && (
        <>
          <dt>Old secret</dt>
          <dd>
            signs beside the new one, and ends <Ago time={oldUntil} />
          </dd>
        </>
      )}
    </dl>
  );
}
