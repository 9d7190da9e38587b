// Options of a pi session. The platform starts the session, and continues it with each message.

import { getBuiltinModel } from "@earendil-works/pi-ai/providers/all";

const model = getBuiltinModel("anthropic", "claude-sonnet-4-5");

/** Options of `createAgentSession`. The platform adds the session and the working directory. */
export const agent = {
  model: { ...model, baseUrl: process.env.ANTHROPIC_BASE_URL ?? model.baseUrl },
  thinkingLevel: "off",
};
