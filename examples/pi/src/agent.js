// Options of a pi session, which the platform starts and goes on with.

import { getBuiltinModel } from "@earendil-works/pi-ai/providers/all";

const model = getBuiltinModel("anthropic", "claude-sonnet-4-5");

/** Options of `createAgentSession`. The session and the working directory come from the platform. */
export const agent = {
  model: { ...model, baseUrl: process.env.ANTHROPIC_BASE_URL ?? model.baseUrl },
  thinkingLevel: "off",
};
