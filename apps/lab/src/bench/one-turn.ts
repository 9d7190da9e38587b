// One turn of a standalone platform, and the bare start of an interpreter for comparison.

import { spawn } from "node:child_process";

export interface Api {
  readonly apiUrl: string;
  readonly apiKey: string;
}

/** Sends one POST that waits for its reply, like a client with `curl`. @throws unless the turn completes. */
export async function sendTurn({ apiUrl, apiKey }: Api, sessionId: string): Promise<void> {
  const response = await fetch(`${apiUrl}/v1/sessions/${sessionId}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ parts: [{ type: "text", text: "go" }] }),
  });
  const record = (await response.json()) as { status?: string };
  if (record.status !== "completed") throw new Error(`a turn ended as ${JSON.stringify(record)}`);
}

/** Runs a process with a clean environment from its start to its end. */
export function startBareProcess(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn(command, args, { env: {}, stdio: "ignore" })
      .once("error", reject)
      .once("close", () => resolve());
  });
}
