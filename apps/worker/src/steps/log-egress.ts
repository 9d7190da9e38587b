// Logs what an agent connected to, or tried to.

import type { Turn } from "@dari/control/turns";
import type { EgressRecord } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";
import type { LogRecorder } from "./record-logs.ts";

/** Lines per attempt at the usual level. One more line says that the others are not written. */
const linesMax = 500;

/** For the platform, and for the tenant in the attempt's own log. */
export function logEgress(context: WorkerContext, turn: Turn, logs: LogRecorder): (record: EgressRecord) => void {
  const { organizationId: org, agentId: agent, sessionId: session, messageId: message, attemptId: attempt } = turn;
  let lines = 0;
  return (record) => {
    lines += 1;
    // Every connection is an event that is counted. Only the first ones are logged at the usual level.
    const level = lines <= linesMax ? "info" : "debug";
    // An agent chooses the names of hosts, so they can contain secrets.
    const shown = turn.scrubber.json(record) as EgressRecord;
    context.log[level]({ org, agent, session, message, attempt, ...shown }, "turn.egress");
    if (lines <= linesMax) return record.verdict === "connected" ? addConnected(logs, shown) : addLost(logs, shown);
    if (lines > linesMax + 1) return;
    context.log.warn({ org, agent, session, message, attempt }, "turn.egress_not_logged");
    logs.add("platform", `egress: more than ${linesMax} connections; further ones are not written here\n`);
  };
}

function addConnected(logs: LogRecorder, { host, port, bytesSent, bytesReceived }: EgressRecord): void {
  logs.add("platform", `egress: ${host}:${port} connected: ${bytesSent} bytes sent, ${bytesReceived} received\n`);
}

function addLost(logs: LogRecorder, { host, port, verdict, reason }: EgressRecord): void {
  logs.addLostConnection(`${host}:${port} ${verdict}: ${reason}`);
}
