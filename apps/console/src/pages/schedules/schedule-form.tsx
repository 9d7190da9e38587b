// A form for a new or an existing schedule: when it sends which message, and where.

import { overlapPolicies, type Lane, type OverlapPolicy } from "@dari/domain";
import type { ScheduleRecord } from "@dari/contract";
import { useState } from "react";
import { useAction } from "../../data/action.ts";
import { AgentField, LaneField } from "../../parts/choice.tsx";
import { Form, FormEnd } from "../../parts/form.tsx";

export interface ScheduleDraft {
  readonly name: string;
  readonly agentId: string;
  /** Empty for a new session of the agent each time. */
  readonly sessionId: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly text: string;
  readonly overlap: OverlapPolicy;
  readonly lane: Lane;
}

/** The default time zone is the reader's. */
export function firstDraft(): ScheduleDraft {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const sending = { overlap: "skip", lane: "background" } as const;
  return { name: "", agentId: "", sessionId: "", cron: "", timeZone, text: "", ...sending };
}

export function draftOf({ name, agent_id: agentId, session_id: sessionId, ...record }: ScheduleRecord): ScheduleDraft {
  const { cron, time_zone: timeZone, overlap, lane, parts } = record;
  const text = parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
  return { name: name ?? "", agentId, sessionId: sessionId ?? "", cron, timeZone, text, overlap, lane };
}

/** Returns the fields of the request, except its target and message. An empty name is left out. */
export function timesOf({ name, cron, timeZone, overlap, lane }: ScheduleDraft) {
  return { cron, time_zone: timeZone, overlap, lane, ...(name.trim() === "" ? {} : { name }) };
}

/** What happens if the previous message is still open. */
export const overlaps: Readonly<Record<OverlapPolicy, string>> = {
  skip: "send nothing",
  allow: "send it as well",
  replace: "cancel that one, and send",
};

interface ScheduleFormProps {
  readonly draft: ScheduleDraft;
  readonly verb: string;
  /** Also gets the form's initial values. */
  readonly save: (draft: ScheduleDraft, first: ScheduleDraft) => Promise<void>;
  readonly onClose: () => void;
  /** An existing schedule keeps its target. */
  readonly isNew?: boolean;
}

export function ScheduleForm({ draft: given, verb, save, onClose, isNew = false }: ScheduleFormProps) {
  const [first] = useState(given);
  const [draft, setDraft] = useState(first);
  const change = (part: Partial<ScheduleDraft>): void => setDraft({ ...draft, ...part });
  const send = useAction(async () => {
    await save(draft, first);
    onClose();
  });
  return (
    <Form className="stacked" onSubmit={send.run}>
      {isNew && <Receiver draft={draft} onChange={change} />}
      <Times draft={draft} onChange={change} />
      <label>
        Message
        <textarea required rows={3} value={draft.text} onChange={(event) => change({ text: event.target.value })} />
      </label>
      <label>
        If the previous message is still open
        <select
          value={draft.overlap}
          onChange={(event) => change({ overlap: overlapPolicies.find((one) => one === event.target.value) ?? "skip" })}
        >
          {overlapPolicies.map((one) => (
            <option key={one} value={one}>
              {overlaps[one]}
            </option>
          ))}
        </select>
      </label>
      <LaneField value={draft.lane} onChange={(lane) => change({ lane })} />
      <label>
        Name
        <input
          maxLength={200}
          placeholder="optional"
          value={draft.name}
          onChange={(event) => change({ name: event.target.value })}
        />
      </label>
      <FormEnd action={send} verb={verb} onClose={onClose} />
    </Form>
  );
}

interface FieldsProps {
  readonly draft: ScheduleDraft;
  readonly onChange: (part: Partial<ScheduleDraft>) => void;
}

function Receiver({ draft: { agentId, sessionId }, onChange }: FieldsProps) {
  const [isOneSession, setOneSession] = useState(sessionId !== "");
  const choose = (one: boolean): void => {
    setOneSession(one);
    onChange({ agentId: "", sessionId: "" });
  };
  return (
    <>
      <label>
        To
        <select value={isOneSession ? "one" : "new"} onChange={(event) => choose(event.target.value === "one")}>
          <option value="new">a new session of an agent each time</option>
          <option value="one">one session</option>
        </select>
      </label>
      {isOneSession ? (
        <label>
          Session
          <input
            required
            placeholder="sess_…"
            value={sessionId}
            onChange={(event) => onChange({ sessionId: event.target.value.trim() })}
          />
        </label>
      ) : (
        <AgentField value={agentId} onChange={(id) => onChange({ agentId: id })} />
      )}
    </>
  );
}

function Times({ draft: { cron, timeZone }, onChange }: FieldsProps) {
  return (
    <>
      <label>
        <span>
          Cron <span className="faint">minute, hour, day of the month, month, day of the week</span>
        </span>
        <input
          required
          autoFocus
          maxLength={200}
          placeholder="30 9 * * MON-FRI"
          value={cron}
          onChange={(event) => onChange({ cron: event.target.value })}
        />
      </label>
      <label>
        Time zone
        <input
          required
          list="time-zones"
          maxLength={64}
          value={timeZone}
          onChange={(event) => onChange({ timeZone: event.target.value })}
        />
      </label>
      <datalist id="time-zones">
        {["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </>
  );
}
