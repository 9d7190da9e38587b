// Closed loops of turns against one contestant: each connection sends a message to a random session, waits for the
// answer and sends the next.

import { Agent, request } from "node:http";
import type { Contestant } from "./contestant.ts";

/** Makes about 430 bytes of body. */
const noWork = "0".padEnd(390, " ");

export interface Load {
  readonly connections: number;
  readonly turns: number;
  readonly text?: string;
  /** Waits only for acceptance. */
  readonly async?: boolean;
}

/** Returns the milliseconds of each turn. @throws if one is not completed, or not accepted. */
export async function sendTurns(
  to: Pick<Contestant, "name" | "apiUrl" | "apiKey" | "sessionIds">,
  load: Load,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const body = JSON.stringify({ parts: [{ type: "text", text: load.text ?? noWork }] });
  const [suffix, expected] = load.async === true ? ["/async", '"id":"msg_'] : ["", '"status":"completed"'];
  const samples: number[] = [];
  let left = load.turns;
  const connection = async (): Promise<void> => {
    while (left-- > 0) {
      const session = to.sessionIds[Math.floor(Math.random() * to.sessionIds.length)];
      const startedAt = performance.now();
      const answer = await post(agent, `${to.apiUrl}/v1/sessions/${session}/messages${suffix}`, to.apiKey, body);
      samples.push(performance.now() - startedAt);
      if (!answer.includes(expected)) throw new Error(`${to.name} answered ${answer.slice(0, 500)}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: load.connections }, connection));
  } finally {
    agent.destroy();
  }
  return samples;
}

export function post(agent: Agent, url: string, apiKey: string, body: string): Promise<string> {
  const headers = {
    authorization: `Bearer ${apiKey}`,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", agent, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
