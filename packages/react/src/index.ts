// A session as a React hook. The directive lets server components import it.
"use client";

export type {
  AgentData,
  AnswerFile,
  AskedInput,
  ConversationMessage,
  ShownPart,
  ShownText,
  ToolCall,
} from "./shown.ts";
export type { DariFile } from "./actions.ts";
export { useDari, type Dari, type DariOptions } from "./use-dari.ts";
export type { ConversationState, ConversationStatus } from "./conversation-store.ts";
