// An agent with two tools. One needs a person's approval. The platform passes the session's history to the agent.

import { appendFile, writeFile } from "node:fs/promises";
import { Agent, tool } from "@openai/agents";
import { z } from "zod";

const saveItinerary = tool({
  name: "save_itinerary",
  description: "Saves the itinerary as itinerary.md in the traveller's files. Overwrites the one before.",
  parameters: z.object({ markdown: z.string() }),
  // The working directory is the session's workspace. Files written there are kept and listed as changed.
  async execute({ markdown }, runContext) {
    await writeFile("itinerary.md", markdown);
    await runContext?.context.emit("itinerary.saved", { characters: markdown.length });
    return "saved as itinerary.md";
  },
});

// The caller approves the call (docs/inputs.md). Until then, the message waits and uses no worker.
const book = tool({
  name: "book",
  description: "Books what the traveller has chosen. A person must approve it first.",
  parameters: z.object({ what: z.string(), euros: z.number() }),
  needsApproval: true,
  async execute({ what, euros }) {
    await appendFile("bookings.md", `- ${what}: ${euros} EUR\n`);
    return "booked";
  },
});

export const agent = new Agent({
  name: "Trip planner",
  instructions: [
    "You plan trips. Ask for what you need to know, one question at a time.",
    "Save the itinerary whenever it has changed. Pictures and documents that the traveller sends are about the trip.",
  ].join("\n"),
  tools: [saveItinerary, book],
});
