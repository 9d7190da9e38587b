// Logs the connections of an agent, including those that were refused or failed.

import type { Turn } from "@dari/control/turns";
import type { EgressRecord } from "@dari/gateway";
import type { WorkerContext } from "../../context.ts";
import type { LogRecorder } from "../recorders/record-logs.ts";

/** Maximum number of lines of one attempt at the usual level. One more line says that further lines are left out. */
const linesMax = 500;

/** Returns what logs a connection: for operators in the worker's log, for the tenant in the attempt's log. */
export function logEgress(context: WorkerContext, turn: Turn, logs: LogRecorder): (record: EgressRecord) => void {
  const { organizationId: org, agentId: agent, sessionId: session, messageId: message, attemptId: attempt } = turn;
  let lines = 0;
  return (record) => {
    lines += 1;
    // Metrics count every connection, so each one is logged. Only the first ones are logged at the usual level.
    const level = lines <= linesMax ? "info" : "debug";
    // An agent chooses the names of hosts, so they can contain secrets.
    const shown = turn.scrubber.json(record) as EgressRecord;
    context.log[level]({ org, agent, session, message, attempt, ...shown }, "turn.egress");
    if (lines <= linesMax) return record.verdict === "connected" ? logConnected(logs, shown) : logLost(logs, shown);
    if (lines > linesMax + 1) return;
    context.log.warn({ org, agent, session, message, attempt }, "turn.egress_not_logged");
    logs.add(
      "platform",
      `egress: more than ${linesMax} connections; further connections are not written to this log\n`,
    );
  };
}

function logConnected(logs: LogRecorder, { host, port, bytesSent, bytesReceived }: EgressRecord): void {
  logs.add("platform", `egress: ${host}:${port} connected: ${bytesSent} bytes sent, ${bytesReceived} received\n`);
}

function logLost(logs: LogRecorder, { host, port, verdict, reason }: EgressRecord): void {
  logs.addLostConnection(`${host}:${port} ${verdict}: ${reason}`);
}
