// A session as a React hook.

export type {
  AgentData,
  AnswerFile,
  AskedInput,
  ConversationMessage,
  ShownPart,
  ShownText,
  ToolCall,
} from "./conversation.ts";
export { useDari, type Dari, type DariFile, type DariOptions } from "./use-dari.ts";
export type { ConversationState, ConversationStatus } from "./conversation-store.ts";
