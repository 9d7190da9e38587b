// Agents as tools of their own name and description.

import { looksLikeAgentId } from "@dari/domain";
import {
  answerMessageTool,
  getMessageTool,
  input,
  listMessagesTool,
  message,
  text,
  textArgument,
  wait,
  type MessageTool,
  type Tool,
} from "./tools.ts";
import { ToolError } from "./calls.ts";

export interface PublishedAgent {
  readonly id: string;
  readonly name: string;
  /** What the agent's manifest says about it. */
  readonly description: string | undefined;
}

/** Longer names, and names with other characters, are refused by clients of models. */
const toolNameChars = 64;

/** Shared by all agents and calls: the validator keeps every schema that it has seen. */
const inputSchema = input(
  {
    text: message,
    session_id: text("Continue this conversation: the session_id of an earlier answer (default: start a new one)."),
    wait_seconds: wait,
  },
  ["text"],
);

/** What a long turn, a turn that waits for an input, and a lost reply need. */
const commonTools: readonly Tool[] = [getMessageTool, answerMessageTool, listMessagesTool];

/** Returns one tool for each agent, and the common ones. A taken name is replaced by the agent's id. */
export function agentTools(agents: readonly PublishedAgent[]): readonly Tool[] {
  const taken = new Set(commonTools.map(({ name }) => name));
  const own = agents.map((agent) => {
    const name = toolNameOf(agent);
    const free = taken.has(name) ? agent.id : name;
    taken.add(free);
    return createAgentTool(agent, free);
  });
  return [...own, ...commonTools];
}

/**
 * Replaces characters that tool names cannot have. A name without a letter or digit becomes the agent's id, and so does
 * one that then looks like an id: it could be that of another agent.
 */
export function toolNameOf({ id, name }: Pick<PublishedAgent, "id" | "name">): string {
  const plain = name.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, toolNameChars);
  return /[A-Za-z0-9]/.test(plain) && !looksLikeAgentId(plain) ? plain : id;
}

function createAgentTool(agent: PublishedAgent, toolName: string): MessageTool {
  const { id, name, description = `Send a text to the agent ${JSON.stringify(name)} and wait for its answer.` } = agent;
  return {
    name: toolName,
    description,
    inputSchema,
    readOnly: false,
    async start(call) {
      const { calls, signal } = call;
      const content = [{ type: "text" as const, text: textArgument(call, "text") }];
      if (call.input["session_id"] === undefined)
        return (await calls.sendAgentMessage(id, { type: "user.message", content }, { signal })).message;
      const sessionId = textArgument(call, "session_id");
      const session = await calls.getSession(sessionId, { signal });
      if (session.agent_id !== id) throw new ToolError(`session_id: the session belongs to another agent than ${name}`);
      return calls.sendMessageAsync(sessionId, { parts: content }, { signal });
    },
  };
}
