// Agents as tools of their own name and description.

import { answerMessageTool, getMessageTool, given, input, message, text, wait, type MessageTool } from "./tools.ts";
import { ToolError } from "./calls.ts";

export interface PublishedAgent {
  readonly id: string;
  readonly name: string;
  /** What the agent's manifest says about it. */
  readonly description: string | undefined;
}

/** Longer names, and names with other characters, are refused by clients of models. */
const toolNameChars = 64;

/** Returns one tool for each agent, and the two that a long turn and a turn that waits for an input need. */
export function agentTools(agents: readonly PublishedAgent[]): readonly MessageTool[] {
  return [...agents.map(toolOf), getMessageTool, answerMessageTool];
}

/** Returns the first two agents that would have the same tool name, or a name that another tool has. */
export function findSameToolName(agents: readonly PublishedAgent[]): readonly string[] | undefined {
  const owners = new Map([getMessageTool, answerMessageTool].map(({ name }) => [name, `the tool ${name}`]));
  for (const agent of agents) {
    const name = toolNameOf(agent);
    const other = owners.get(name);
    if (other !== undefined) return [other, agent.name];
    owners.set(name, agent.name);
  }
  return undefined;
}

/** Replaces characters that tool names cannot have. A name without a letter or digit becomes the agent's id. */
export function toolNameOf({ id, name }: Pick<PublishedAgent, "id" | "name">): string {
  const plain = name.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, toolNameChars);
  return /[A-Za-z0-9]/.test(plain) ? plain : id;
}

function toolOf(agent: PublishedAgent): MessageTool {
  const { id, name, description = `Send a text to the agent ${JSON.stringify(name)} and wait for its answer.` } = agent;
  return {
    name: toolNameOf(agent),
    description,
    inputSchema: input(
      {
        text: message,
        session_id: text("Continue this conversation: the session_id of an earlier answer (default: start a new one)."),
        wait_seconds: wait,
      },
      ["text"],
    ),
    readOnly: false,
    async start(call) {
      const { calls, signal } = call;
      const content = [{ type: "text" as const, text: given(call, "text") }];
      if (call.input["session_id"] === undefined)
        return (await calls.sendAgentMessage(id, { type: "user.message", content }, { signal })).message;
      const sessionId = given(call, "session_id");
      const session = await calls.getSession(sessionId, { signal });
      if (session.agent_id !== id) throw new ToolError(`session_id: the session belongs to another agent than ${name}`);
      return calls.sendMessageAsync(sessionId, { parts: content }, { signal });
    },
  };
}
