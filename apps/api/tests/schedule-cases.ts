// What the routes of schedules and batches take and refuse, for the tests that walk all routes.

const text = { parts: [{ type: "text", text: "hello" }] };
const batch = { agent_id: "agt_01jx5m0k8c3f7q2v9t4w6y8z1a", sessions: [text] };
const schedule = { agent_id: "agt_01jx5m0k8c3f7q2v9t4w6y8z1a", cron: "0 9 * * *", ...text };

export const scheduleCases = {
  createSessionBatch: {
    valid: batch,
    invalid: [
      [{}, "agent_id"],
      [{ ...batch, agent_id: "ver_1" }, "agent_id"],
      [{ agent_id: batch.agent_id }, "sessions"],
      [{ ...batch, sessions: [] }, "sessions"],
      [{ ...batch, sessions: Array.from({ length: 1_001 }, () => text) }, "sessions"],
      [{ ...batch, sessions: [text, { parts: [] }] }, "sessions[1].parts"],
      [{ ...batch, sessions: [{ ...text, delivery: "sync" }] }, "sessions[0].delivery"],
      [{ ...batch, sessions: [{ parts: [{ type: "file", file_id: "msg_1" }] }] }, "sessions[0].parts[0].file_id"],
      [{ ...batch, version_id: "agt_1" }, "version_id"],
      [{ ...batch, on_busy: "push" }, "on_busy"],
      [{ ...batch, name: " " }, "name"],
    ],
  },
  listSessionBatches: {},
  getSessionBatch: {},
  listBatchSessions: {},
  cancelSessionBatch: {},
  listSchedules: {},
  createSchedule: {
    valid: schedule,
    invalid: [
      [{}, "cron"],
      [{ cron: "0 9 * * *", ...text }, "agent_id"],
      [{ ...schedule, session_id: "sess_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "agent_id"],
      [schedule, "agent_id"],
      [{ cron: "0 9 * * *", ...text, session_id: "sess_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "session_id"],
      [{ ...schedule, agent_id: "sess_1" }, "agent_id"],
      [{ ...schedule, cron: "0 9 * *" }, "cron"],
      [{ ...schedule, cron: "0 0 9 * * *" }, "cron"],
      [{ ...schedule, cron: "@daily" }, "cron"],
      [{ ...schedule, cron: "61 * * * *" }, "cron"],
      [{ ...schedule, cron: "0 9 L * *" }, "cron"],
      [{ ...schedule, cron: `${"0,".repeat(100)}0 * * * *` }, "cron"],
      [{ ...schedule, time_zone: "Mars/Base" }, "time_zone"],
      [{ ...schedule, time_zone: "+02:00" }, "time_zone"],
      [{ ...schedule, overlap: "queue" }, "overlap"],
      [{ ...schedule, status: "stopped" }, "status"],
      [{ ...schedule, parts: [] }, "parts"],
      [{ ...schedule, parts: [{ type: "text", text: "x".repeat(65_536) }] }, "parts"],
      [{ ...schedule, parts: [{ type: "file", file_id: "file_01jx5m0k8c3f7q2v9t4w6y8z1a" }] }, "parts[0].file_id"],
      [{ ...schedule, metadata: { nested: {} } }, "metadata.nested"],
      [{ ...schedule, surprise: 1 }, "surprise"],
    ],
  },
  getSchedule: {},
  updateSchedule: {
    valid: { overlap: "allow" },
    invalid: [
      [{}, "body"],
      [{ cron: "0 9" }, "cron"],
      [{ cron: "0 0 30 2 *" }, "cron"],
      [{ time_zone: "Nowhere" }, "time_zone"],
      [{ parts: [] }, "parts"],
      [{ status: "manual" }, "status"],
      [{ agent_id: "agt_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "agent_id"],
    ],
  },
  deleteSchedule: {},
  listScheduleFirings: {},
} as const;
