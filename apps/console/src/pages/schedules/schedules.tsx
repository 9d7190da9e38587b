// Schedules: messages that the platform sends at set times, with the next due time.

import { scheduleStatuses, type ScheduleRecord, type ScheduleStatus } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAgentNames } from "../../data/agents.ts";
import { useList } from "../../data/load.ts";
import { goTo } from "../../data/route.ts";
import { Filter } from "../../parts/choice.tsx";
import { DialogButton } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Ago } from "../../parts/time.tsx";
import { firstDraft, ScheduleForm, timesOf, type ScheduleDraft } from "./schedule-form.tsx";

export function SchedulesPage() {
  const { client } = useAccount();
  const [status, setStatus] = useState<ScheduleStatus>();
  const list = useList(`schedules ${status}`, (page) =>
    client.listSchedules({ ...page, ...(status === undefined ? {} : { status }) }),
  );
  const nameOf = useAgentNames();
  const create = async (draft: ScheduleDraft): Promise<void> => {
    const { agentId, sessionId, text } = draft;
    const made = await client.createSchedule({
      ...timesOf(draft),
      ...(sessionId === "" ? { agent_id: agentId } : { session_id: sessionId }),
      parts: [{ type: "text", text }],
    });
    goTo(`/schedules/${made.id}`);
  };
  const actions = (
    <>
      <Filter label="Status" values={scheduleStatuses} value={status} onChange={setStatus} />
      <DialogButton label="New schedule" tone="primary" title="New schedule">
        {(close) => <ScheduleForm draft={firstDraft()} verb="Create it" save={create} onClose={close} isNew />}
      </DialogButton>
    </>
  );
  return (
    <Page title="Schedules" actions={actions} says="Messages that the platform sends at set times.">
      <Table
        label="Schedules"
        list={list}
        keyOf={({ id }) => id}
        columns={columnsOf(nameOf)}
        empty={<NoSchedules status={status} />}
      />
    </Page>
  );
}

function NoSchedules({ status }: { readonly status: ScheduleStatus | undefined }) {
  if (status !== undefined) return <Empty title={`No schedule is ${status}`}>Choose another status.</Empty>;
  const command = "dari schedules create '30 9 * * MON-FRI' 'What is new?' --agent <agent>";
  return (
    <Empty title="There are no schedules yet" command={command}>
      Send an agent the same message at set times, in a new session each time or always in the same one.
    </Empty>
  );
}

function columnsOf(nameOf: (agentId: string) => string) {
  return [
    {
      title: "Schedule",
      cell: ({ id, name, cron }: ScheduleRecord) => (
        <Link data-row className="clip" to={`/schedules/${id}`} title={id}>
          {name ?? <code>{cron}</code>}
        </Link>
      ),
    },
    { title: "Status", cell: (schedule: ScheduleRecord) => <ScheduleStatusView schedule={schedule} /> },
    {
      title: "Times",
      cell: ({ cron, time_zone: zone }: ScheduleRecord) => (
        <>
          <code>{cron}</code> <span className="faint">{zone}</span>
        </>
      ),
    },
    { title: "Agent", cell: ({ agent_id: agentId }: ScheduleRecord) => nameOf(agentId), isMinor: true },
    {
      title: "Next",
      cell: ({ next_due_at: next }: ScheduleRecord) =>
        next === null ? <span className="faint">none while paused</span> : <Ago time={next} />,
    },
    { title: "Last fired", cell: ({ last_fired_at: time }: ScheduleRecord) => <Ago time={time} />, isMinor: true },
  ];
}

export function ScheduleStatusView({ schedule }: { readonly schedule: ScheduleRecord }) {
  const { status, paused_reason: reason } = schedule;
  return (
    <>
      <Status of={status} />{" "}
      {reason !== null && reason !== "manual" && <span className="faint">{reason.replaceAll("_", " ")}</span>}
    </>
  );
}
