// Chats of the npm package `ai`, as `useChat` keeps them, and an agent for them to talk to.

import { waitUntil } from "@dari/testkit";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { manifestFile } from "./conversation.ts";
import { npmPackage } from "./npm-programs.ts";

/** An agent that does by its prompt what clients can show. */
export const showingAgent = {
  ...manifestFile({ name: "greeter", entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
    const decision = { type: "object", properties: { approved: { type: "boolean" }, reason: { type: "string" } },
      required: ["approved"] };
    const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    export async function* agent(prompt, context) {
      if (prompt === "fail") throw new Error("as asked");
      if (prompt === "wait") {
        yield "waiting";
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      }
      if (prompt === "refund") {
        const { approved, reason } = await context.requestInput("refund", decision, { prompt: "Refund?" });
        yield approved ? "refunded " : "refused: " + reason + " ";
      }
      if (prompt === "weather") {
        const { city: name } = await context.requestInput("city", city, { prompt: "Which city?" });
        yield "sunny in " + name + " ";
      }
      if (prompt === "look up") yield await context.tool("lookup", { of: "Rome" }, () => "found ");
      if (prompt === "break") await context.tool("lookup", {}, () => { throw new Error("no"); }).catch(() => {});
      if (prompt === "emit") await context.emit("half", { done: 0.5 });
      if (prompt === "read") {
        const files = context.parts.flatMap((part) => part.path ?? []);
        yield files.map((file) => readFileSync(file, "utf8")).join();
      }
      if (prompt === "file") {
        mkdirSync("output", { recursive: true });
        writeFileSync("output/chart.png", "png");
        return { parts: [{ type: "text", text: "drawn" }, { type: "file", path: "/output/chart.png" }] };
      }
      yield "You said: ";
      yield prompt;
    }`,
};

export const aiVersions = { 5: "5.0.277", 6: "6.0.326", 7: "7.0.173" } as const;
export type AiVersion = keyof typeof aiVersions;

/** Loads a module of a package. `file`: its path in the package. */
export async function importPackage<Exports>(name: string, version: string, file: string): Promise<Exports> {
  const home = await npmPackage(name, version);
  return (await import(pathToFileURL(path.join(home, file)).href)) as Exports;
}

export function importAi(version: AiVersion): Promise<AiPackage> {
  return importPackage("ai", aiVersions[version], version === 7 ? "dist/index.js" : "dist/index.mjs");
}

/** The platform that a chat talks to. */
export interface ChatPlatform {
  readonly apiUrl: string;
  readonly apiKey: string;
}

/** Calls the platform. @throws if the reply is not JSON */
export async function callApi(
  { apiUrl, apiKey }: ChatPlatform,
  method: string,
  route: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${apiUrl}${route}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as Record<string, unknown>;
}

export interface UiPart {
  readonly type: string;
  readonly text?: string;
  readonly state?: string;
  readonly toolName?: string;
  readonly toolCallId?: string;
  readonly approval?: { readonly id: string };
  readonly [field: string]: unknown;
}

export interface UiMessage {
  readonly id: string;
  readonly role: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly parts: readonly UiPart[];
}

/** The parts of the package that the tests use. Its own types are not installed with this repository. */
export interface Chat {
  readonly status: string;
  readonly error: Error | undefined;
  readonly messages: readonly UiMessage[];
  readonly lastMessage: UiMessage | undefined;
  sendMessage(message?: object): Promise<void>;
  regenerate(options?: object): Promise<void>;
  resumeStream(): Promise<void>;
  stop(): Promise<void>;
  addToolOutput(output: object): Promise<void>;
  addToolApprovalResponse(response: object): Promise<void>;
}

export interface AiPackage {
  readonly AbstractChat: new (init: object) => Chat;
  readonly DefaultChatTransport: new (options: object) => object;
  readonly lastAssistantMessageIsCompleteWithToolCalls: (chat: object) => boolean;
  readonly lastAssistantMessageIsCompleteWithApprovalResponses?: (chat: object) => boolean;
}

/** What `useChat` keeps in React's state. */
function stateOf(messages: readonly UiMessage[]) {
  return {
    status: "ready",
    error: undefined,
    messages: [...messages],
    pushMessage(message: UiMessage) {
      this.messages = [...this.messages, message];
    },
    popMessage() {
      this.messages = this.messages.slice(0, -1);
    },
    replaceMessage(index: number, message: UiMessage) {
      this.messages = this.messages.with(index, structuredClone(message));
    },
    snapshot: <Value>(value: Value): Value => structuredClone(value),
  };
}

export const textOf = (message: UiMessage | undefined) =>
  (message?.parts ?? []).map(({ type, text }) => (type === "text" ? text : "")).join("");

export interface ChatOptions {
  readonly ai: AiPackage;
  readonly version: AiVersion;
  readonly sessionId: string;
  readonly messages?: readonly UiMessage[];
  /** Further options of the transport. */
  readonly transport?: object;
}

/** Opens a chat that sends answers to questions at once. */
export function openChat(platform: ChatPlatform, options: ChatOptions): Chat {
  const { ai, version, sessionId, messages = [] } = options;
  const api = (rest = "") => `${platform.apiUrl}/v1/sessions/${sessionId}/ai-sdk${rest}?version=${version}`;
  const transport = new ai.DefaultChatTransport({
    api: api(),
    headers: { authorization: `Bearer ${platform.apiKey}` },
    prepareReconnectToStreamRequest: ({ headers }: { headers: object }) => ({ api: api("/stream"), headers }),
    ...options.transport,
  });
  const { lastAssistantMessageIsCompleteWithApprovalResponses: hasApprovals } = ai;
  return new ai.AbstractChat({
    id: sessionId,
    transport,
    state: stateOf(messages),
    sendAutomaticallyWhen: (chat: object) =>
      ai.lastAssistantMessageIsCompleteWithToolCalls(chat) || hasApprovals?.(chat) === true,
  });
}

/** Returns what a page that is loaded again starts with. */
export async function historyOf(platform: ChatPlatform, sessionId: string, version: AiVersion): Promise<UiMessage[]> {
  const route = `/v1/sessions/${sessionId}/ai-sdk/messages?version=${version}`;
  return (await callApi(platform, "GET", route))["messages"] as UiMessage[];
}

export async function waitForChat(chat: Chat, isReached: () => boolean, what: string): Promise<void> {
  await waitUntil(isReached, { what, timeoutMs: 30_000 }).catch((cause: unknown) => {
    const shown = `${chat.status} ${chat.error?.message} ${JSON.stringify(chat.messages)}`;
    throw new Error(`${what} did not come: ${shown}`, { cause });
  });
}
