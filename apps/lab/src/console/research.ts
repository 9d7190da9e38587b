// Sessions with an agent that reports what it does: one that has ended after a second attempt, and one that runs.

import { deploy, textPart, type Platform } from "../conversation.ts";
import type { Rendezvous } from "../rendezvous.ts";
import { researcherFiles } from "./agents.ts";

export interface Research {
  readonly session: string;
  readonly message: string;
  /** Its turn runs until the platform stops. */
  readonly runningSession: string;
  readonly runningMessage: string;
}

export async function startResearch(platform: Platform, meeting: Rendezvous): Promise<Research> {
  const { client } = platform;
  const name = `vendor-research-${Date.now().toString(36)}`;
  const { agentId } = await deploy(platform, researcherFiles(name, meeting.urlOf("research")));
  const ended = await client.createSession(agentId, { name: "Which vendor?" });
  const parts = [textPart("Compare the three vendors. If the model's server is overloaded, try again.")];
  const { id: message } = await client.sendMessage(ended.id, { parts });
  const running = await client.createSession(agentId, { name: "Which vendor next year?" });
  const { id: runningMessage } = await client.sendMessageAsync(running.id, {
    parts: [textPart("Compare the vendors, but wait for the offer of the fourth one")],
  });
  await meeting.arrived("research");
  return { session: ended.id, message, runningSession: running.id, runningMessage };
}
