// A form for a new or an existing endpoint: its address and its event types.

import { defaultWebhookEventTypes, eventTypes, type EventType } from "@dari/contract";
import { useState } from "react";
import { useAction } from "../../data/action.ts";
import { AgentField } from "../../parts/choice.tsx";
import { Form, FormEnd } from "../../parts/form.tsx";

export interface EndpointDraft {
  readonly url: string;
  readonly description: string;
  /** Empty for all agents. */
  readonly agentId: string;
  readonly eventTypes: readonly EventType[];
}

export const firstDraft: EndpointDraft = {
  url: "",
  description: "",
  agentId: "",
  eventTypes: defaultWebhookEventTypes,
};

interface EndpointFormProps {
  readonly draft: EndpointDraft;
  readonly verb: string;
  /** Also gets the form's initial values. */
  readonly save: (draft: EndpointDraft, first: EndpointDraft) => Promise<void>;
  readonly onClose: () => void;
  /** An endpoint that exists keeps its agent. */
  readonly keepsAgent?: boolean;
}

export function EndpointForm({ draft: given, verb, save, onClose, keepsAgent = false }: EndpointFormProps) {
  const [first] = useState(given);
  const [draft, setDraft] = useState(first);
  const change = (part: Partial<EndpointDraft>): void => setDraft({ ...draft, ...part });
  const send = useAction(async () => {
    await save(draft, first);
    onClose();
  });
  return (
    <Form className="stacked" onSubmit={send.run}>
      <label>
        URL
        <input
          type="url"
          required
          autoFocus
          maxLength={2048}
          placeholder="https://example.com/hooks/dari"
          value={draft.url}
          onChange={(event) => change({ url: event.target.value })}
        />
      </label>
      <label>
        Description
        <input
          maxLength={500}
          placeholder="optional"
          value={draft.description}
          onChange={(event) => change({ description: event.target.value })}
        />
      </label>
      {!keepsAgent && (
        <AgentField none="every agent" value={draft.agentId} onChange={(agentId) => change({ agentId })} />
      )}
      <EventChoice chosen={draft.eventTypes} onChange={(chosen) => change({ eventTypes: chosen })} />
      <FormEnd action={send} verb={verb} isReady={draft.eventTypes.length > 0} onClose={onClose} />
    </Form>
  );
}

interface EventChoiceProps {
  readonly chosen: readonly EventType[];
  readonly onChange: (chosen: readonly EventType[]) => void;
}

function EventChoice({ chosen, onChange }: EventChoiceProps) {
  const toggle = (type: EventType): void =>
    onChange(chosen.includes(type) ? chosen.filter((one) => one !== type) : [...chosen, type]);
  return (
    <fieldset className="choice">
      <legend>Events</legend>
      {eventTypes.map((type) => (
        <label key={type} className="check">
          <input type="checkbox" checked={chosen.includes(type)} onChange={() => toggle(type)} />
          <code>{type}</code>
        </label>
      ))}
    </fieldset>
  );
}
