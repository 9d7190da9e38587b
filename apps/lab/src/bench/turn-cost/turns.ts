// Closed loops of turns: each client sends a message to a session, waits for the answer and sends the next.

import { Agent } from "node:http";
import type { Client } from "@dari/client";
import type { Api } from "../one-turn.ts";
import { post } from "../turn-load.ts";
import { prompts } from "./agents.ts";

const createAtOnce = 8;

export async function createSessions(client: Client, agentId: string, count: number): Promise<string[]> {
  const sessions: string[] = [];
  let left = count;
  const creator = async (): Promise<void> => {
    while (left-- > 0) sessions.push((await client.createSession(agentId)).id);
  };
  await Promise.all(Array.from({ length: Math.min(createAtOnce, count) }, creator));
  return sessions;
}

export interface Load {
  readonly clients: number;
  readonly turns: number;
  /** Each session has one turn at a time. The least recently used one is next. */
  readonly sessions: readonly string[];
  /** Whether a session may have another turn after its first. */
  readonly isReused: boolean;
}

/** Returns the milliseconds of each turn. @throws if one is not completed. */
export async function sendTurns(api: Api, load: Load): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.clients });
  const free = [...load.sessions];
  const samples: number[] = [];
  let left = load.turns;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const session = free.shift();
      if (session === undefined) throw new Error("there are fewer sessions than clients, or than turns");
      const startedAt = performance.now();
      await sendText(agent, api, session, prompts.quick);
      samples.push(performance.now() - startedAt);
      if (load.isReused) free.push(session);
    }
  };
  try {
    await Promise.all(Array.from({ length: load.clients }, client));
  } finally {
    agent.destroy();
  }
  return samples;
}

/** Sends a message and waits for the end of its turn. @throws unless it is completed. */
export async function sendText(agent: Agent, api: Api, session: string, text: string): Promise<void> {
  const body = JSON.stringify({ parts: [{ type: "text", text }] });
  const answer = await post(agent, `${api.apiUrl}/v1/sessions/${session}/messages`, api.apiKey, body);
  if (!answer.includes('"status":"completed"')) throw new Error(`a turn ended with ${answer.slice(0, 500)}`);
}
