// One schedule: its due times, its message, its target, and the result of each due time.

import type { ScheduleRecord } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { useAgentNames } from "../../data/agents.ts";
import { changedFields } from "../../data/changed-fields.ts";
import { minuteText, shortId } from "../../data/format.ts";
import { useLoaded } from "../../data/load.ts";
import { goTo } from "../../data/route.ts";
import { Id } from "../../parts/copyable.tsx";
import { ConfirmButton, DialogButton } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { ErrorNote } from "../../parts/notes.tsx";
import { Page, Pending } from "../../parts/page.tsx";
import { Ago } from "../../parts/time.tsx";
import { Parts } from "../session/parts.tsx";
import { Firings } from "./firings.tsx";
import { draftOf, overlaps, ScheduleForm, timesOf, type ScheduleDraft } from "./schedule-form.tsx";
import { ScheduleStatusView } from "./schedules.tsx";

/** How often the schedule is loaded again, in milliseconds. Due times are whole minutes. */
const lookEveryMs = 10_000;

const above = { to: "/schedules", label: "Schedules" };

export function SchedulePage({ scheduleId }: { readonly scheduleId: string }) {
  const { client } = useAccount();
  const schedule = useLoaded(scheduleId, (signal) => client.getSchedule(scheduleId, { signal }), {
    againAfterMs: () => lookEveryMs,
  });
  if (schedule.value === undefined) return <Pending of={schedule} title="Schedule" above={above} />;
  const record = schedule.value;
  return (
    <Page
      title={record.name ?? record.cron}
      beside={<ScheduleStatusView schedule={record} />}
      above={above}
      actions={<Actions schedule={record} onChanged={schedule.reload} />}
    >
      <ErrorNote error={schedule.error} retry={schedule.reload} />
      <Notice schedule={record} />
      <Facts schedule={record} />
      <h2>Message</h2>
      <div className="asked">
        <Parts parts={record.parts} />
      </div>
      <Firings scheduleId={scheduleId} lastFired={record.last_fired_at} />
    </Page>
  );
}

type PauseReason = NonNullable<ScheduleRecord["paused_reason"]>;
const reasons: Readonly<Record<PauseReason, string>> = {
  manual: "A member paused it.",
  agent_deleted: "Its agent was deleted.",
  session_ended: "Its session has ended.",
  unknown_times: "Its time zone no longer exists. Choose another, then resume it.",
};

function Notice({ schedule: { status, paused_reason: reason } }: { readonly schedule: ScheduleRecord }) {
  if (status === "active") return null;
  const tone = reason === null || reason === "manual" ? "wait" : "bad";
  return (
    <p className={`note ${tone}`} role="status">
      <span>
        <strong>Nothing is sent.</strong> {reasons[reason ?? "manual"]} Messages that become due while it is paused are
        never sent.
      </span>
    </p>
  );
}

function Facts({ schedule }: { readonly schedule: ScheduleRecord }) {
  const nameOf = useAgentNames();
  const { id, cron, time_zone: zone, next_due_at: next, last_fired_at: last, overlap } = schedule;
  const { agent_id: agentId, session_id: sessionId } = schedule;
  return (
    <dl className="properties">
      <dt>Times</dt>
      <dd>
        <code>{cron}</code> <span className="faint">{zone}</span>
      </dd>
      <dt>Next</dt>
      <dd>
        {next === null ? (
          "none while paused"
        ) : (
          <>
            {minuteText(next)}{" "}
            <span className="faint">
              <Ago time={next} />
            </span>
          </>
        )}
      </dd>
      <dt>Last fired</dt>
      <dd>
        <Ago time={last} />
      </dd>
      <dt>To</dt>
      <dd>
        {sessionId === null ? (
          <>
            a new session of <Link to={`/agents/${agentId}`}>{nameOf(agentId)}</Link>
          </>
        ) : (
          <Link to={`/sessions/${sessionId}`}>{shortId(sessionId)}</Link>
        )}
      </dd>
      <dt>Overlap</dt>
      <dd>{overlaps[overlap]} while the message before is open</dd>
      <dt>Id</dt>
      <dd>
        <Id of={id} />
      </dd>
    </dl>
  );
}

interface ActionsProps {
  readonly schedule: ScheduleRecord;
  readonly onChanged: () => void;
}

function Actions({ schedule, onChanged }: ActionsProps) {
  const { client } = useAccount();
  const { id, status } = schedule;
  const turn = useAction(async () => {
    await client.updateSchedule(id, { status: status === "active" ? "paused" : "active" });
    onChanged();
  });
  const remove = useAction(async () => {
    await client.deleteSchedule(id);
    goTo("/schedules");
  });
  return (
    <>
      <button type="button" onClick={turn.run} disabled={turn.isRunning}>
        {status === "active" ? "Pause" : "Resume"}
      </button>
      <Edit schedule={schedule} onChanged={onChanged} />
      <ConfirmButton
        label="Delete"
        tone="danger"
        isOff={remove.isRunning}
        title="Delete this schedule?"
        says="Messages that it has sent continue. The record of its due times is deleted."
        verb="Delete it"
        onConfirm={remove.run}
      />
      <ErrorNote error={turn.error ?? remove.error} />
    </>
  );
}

function Edit({ schedule, onChanged }: ActionsProps) {
  const { client } = useAccount();
  const fieldsOf = (draft: ScheduleDraft) => ({ ...timesOf(draft), parts: partsOf(schedule, draft.text) });
  const save = async (draft: ScheduleDraft, first: ScheduleDraft): Promise<void> => {
    const fields = changedFields(fieldsOf(first), fieldsOf(draft));
    if (fields !== undefined) await client.updateSchedule(schedule.id, fields);
    onChanged();
  };
  return (
    <DialogButton label="Edit" title="Edit the schedule">
      {(close) => <ScheduleForm draft={draftOf(schedule)} verb="Save" save={save} onClose={close} />}
    </DialogButton>
  );
}

/** Replaces the text and keeps the files. */
function partsOf({ parts }: ScheduleRecord, text: string) {
  const files = parts.flatMap((part) => (part.type === "text" ? [] : [{ type: part.type, file_id: part.file_id }]));
  return [{ type: "text" as const, text }, ...files];
}
