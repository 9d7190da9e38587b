// An agent with one tool; the platform runs it with the session's history.

import { writeFile } from "node:fs/promises";
import { Agent, tool } from "@openai/agents";
import { z } from "zod";

const saveItinerary = tool({
  name: "save_itinerary",
  description: "Saves the itinerary as itinerary.md in the traveller's files. Overwrites the one before.",
  parameters: z.object({ markdown: z.string() }),
  // The working directory is the session's workspace: what is written there is kept and shown as changed.
  async execute({ markdown }, runContext) {
    await writeFile("itinerary.md", markdown);
    await runContext?.context.emit("itinerary.saved", { characters: markdown.length });
    return "saved as itinerary.md";
  },
});

export const agent = new Agent({
  name: "Trip planner",
  instructions: [
    "You plan trips. Ask for what you need to know, one question at a time.",
    "Save the itinerary whenever it has changed. Pictures and documents that the traveller sends are about the trip.",
  ].join("\n"),
  tools: [saveItinerary],
});
