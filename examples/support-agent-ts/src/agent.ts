// A support agent without a model: reads a ticket, classifies it by its words, writes a reply. The entrypoint is a
// plain function, so dari.yml says `sdk: function`. Replace `classify` with a call of a model.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The second argument that the platform passes, after the prompt. It has more fields than are used here. */
interface Context {
  /** The session's directory. Files written there are saved with the turn. */
  readonly workspace: string;
  readonly attempt: number;
}

interface Verdict {
  readonly category: string;
  readonly nextStep: string;
}

const verdicts: readonly (Verdict & { readonly words: RegExp })[] = [
  {
    category: "billing",
    words: /\b(invoice|charge[ds]?|refund|payment|billing|billed)\b/i,
    nextStep: "We compare the charge with your order and refund what is wrong within three working days.",
  },
  {
    category: "access",
    words: /\b(password|log ?in|sign ?in|locked out|two-factor|2fa)\b/i,
    nextStep: "We have sent a reset link to the address on file; it works for one hour.",
  },
  {
    category: "defect",
    words: /\b(error|crash(es|ed)?|broken|bug|fails?|not working)\b/i,
    nextStep: "An engineer looks into it and reports back within one working day.",
  },
];
const general: Verdict = { category: "general", nextStep: "A colleague answers within two working days." };

const urgentWords = /\b(urgent|immediately|asap|outage|down|production)\b/i;

function classify(ticket: string): Verdict {
  return verdicts.find(({ words }) => words.test(ticket)) ?? general;
}

export async function agent(prompt: string, context: Context): Promise<string> {
  const ticket = await readTicket(join(context.workspace, "input", "ticket.txt"));
  if (ticket === undefined) return "There is no input/ticket.txt yet. Send it along with the message.";
  const { category, nextStep } = classify(ticket);
  const priority = urgentWords.test(ticket) ? "high" : "normal";
  const subject = ticket.trim().split("\n")[0] ?? "";
  const reply = [
    `# Re: ${subject}`,
    "",
    "Thank you for writing to us.",
    "",
    `- Category: ${category}`,
    `- Priority: ${priority}`,
    `- Asked of the agent: ${prompt.trim()}`,
    "",
    nextStep,
    "",
  ].join("\n");
  await mkdir(join(context.workspace, "output"), { recursive: true });
  await writeFile(join(context.workspace, "output", "reply.md"), reply);
  console.log(`classified as ${category}, priority ${priority}, attempt ${context.attempt}`);
  return `The ticket is about ${category} (priority ${priority}). The reply is in output/reply.md.`;
}

async function readTicket(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}
