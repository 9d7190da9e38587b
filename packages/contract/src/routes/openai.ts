// OpenAI's API: the same agents, sessions and messages in the form that its clients know. All paths are below
// `/openai/v1`, and all errors also have OpenAI's form.

import type { Route } from "./route.ts";
import * as chat from "../schemas/openai-chat.ts";
import * as files from "../schemas/openai-files.ts";
import * as openai from "../schemas/openai-responses.ts";

const openAiPrefix = "/openai/v1";

export const openAiRoutes = {
  listOpenAiModels: {
    method: "GET",
    path: "/openai/v1/models",
    scope: "read",
    summary: "List the newest agents (at most 500) as models.",
    reply: openai.OpenAiModels,
    status: 200,
  },
  getOpenAiModel: {
    method: "GET",
    path: "/openai/v1/models/{agent_id}",
    scope: "read",
    summary: "Get an agent as a model.",
    reply: openai.OpenAiModel,
    status: 200,
  },
  createOpenAiResponse: {
    method: "POST",
    path: "/openai/v1/responses",
    scope: "run",
    summary:
      "Send a message to an agent, in a new session or after a response, and wait for its answer. `stream` sends " +
      "events, `background` returns immediately.",
    request: openai.CreateOpenAiResponseRequest,
    reply: openai.OpenAiResponse,
    mayStream: true,
    streamItem: openai.OpenAiStreamEvent,
    status: 200,
    countsAs: "messages",
    idempotent: true,
  },
  getOpenAiResponse: {
    method: "GET",
    path: "/openai/v1/responses/{response_id}",
    scope: "read",
    summary: "Get a response: a message and its answer. With `stream=true`, its events from the first one.",
    query: openai.retrieveQuery,
    reply: openai.OpenAiResponse,
    mayStream: true,
    streamItem: openai.OpenAiStreamEvent,
    status: 200,
  },
  cancelOpenAiResponse: {
    method: "POST",
    path: "/openai/v1/responses/{response_id}/cancel",
    scope: "run",
    summary: "Cancel a response: immediately while it is queued, otherwise as soon as its turn stops.",
    reply: openai.OpenAiResponse,
    status: 200,
  },
  deleteOpenAiResponse: {
    method: "DELETE",
    path: "/openai/v1/responses/{response_id}",
    scope: "run",
    summary: "Delete a response with its session. 409 if the session has other messages.",
    reply: openai.OpenAiResponseDeleted,
    status: 200,
  },
  listOpenAiInputItems: {
    method: "GET",
    path: "/openai/v1/responses/{response_id}/input_items",
    scope: "read",
    summary: "List what was sent to the agent: one item of the type `message`.",
    query: openai.inputItemsQuery,
    reply: openai.OpenAiItems,
    status: 200,
  },
  createOpenAiConversation: {
    method: "POST",
    path: "/openai/v1/conversations",
    scope: "run",
    summary: "Create a session of the agent that `model` names.",
    request: openai.CreateOpenAiConversationRequest,
    reply: openai.OpenAiConversation,
    status: 200,
    idempotent: true,
  },
  getOpenAiConversation: {
    method: "GET",
    path: "/openai/v1/conversations/{conversation_id}",
    scope: "read",
    summary: "Get a session.",
    reply: openai.OpenAiConversation,
    status: 200,
  },
  updateOpenAiConversation: {
    method: "POST",
    path: "/openai/v1/conversations/{conversation_id}",
    scope: "run",
    summary: "Replace a session's metadata.",
    request: openai.UpdateOpenAiConversationRequest,
    reply: openai.OpenAiConversation,
    status: 200,
  },
  deleteOpenAiConversation: {
    method: "DELETE",
    path: "/openai/v1/conversations/{conversation_id}",
    scope: "run",
    summary: "Delete a session. Cancels its queued and running messages.",
    reply: openai.OpenAiConversationDeleted,
    status: 200,
  },
  listOpenAiConversationItems: {
    method: "GET",
    path: "/openai/v1/conversations/{conversation_id}/items",
    scope: "read",
    summary: "List what was said and done in a session, the newest first.",
    query: openai.conversationItemsQuery,
    reply: openai.OpenAiItems,
    status: 200,
  },
  createOpenAiChatCompletion: {
    method: "POST",
    path: "/openai/v1/chat/completions",
    scope: "run",
    summary:
      "Answer the last user messages of a conversation, in the session that has the messages before them, or else in " +
      "a new one.",
    request: chat.CreateOpenAiChatCompletionRequest,
    reply: chat.OpenAiChatCompletion,
    mayStream: true,
    streamItem: chat.OpenAiChatChunk,
    status: 200,
    countsAs: "messages",
    idempotent: true,
  },
  createOpenAiFile: {
    method: "POST",
    path: "/openai/v1/files",
    scope: "run",
    summary: "Upload a file as multipart form data: its bytes in `file`, and `purpose`.",
    requestContent: "multipart/form-data",
    form: files.CreateOpenAiFileForm,
    reply: files.OpenAiFile,
    status: 200,
    countsAs: "upload",
    idempotent: true,
  },
  listOpenAiFiles: {
    method: "GET",
    path: "/openai/v1/files",
    scope: "read",
    summary: "List uploaded files, newest first.",
    query: files.openAiFilesQuery,
    reply: files.OpenAiFiles,
    status: 200,
  },
  getOpenAiFile: {
    method: "GET",
    path: "/openai/v1/files/{file_id}",
    scope: "read",
    summary: "Get an uploaded file's record.",
    reply: files.OpenAiFile,
    status: 200,
  },
  getOpenAiFileContent: {
    method: "GET",
    path: "/openai/v1/files/{file_id}/content",
    scope: "read",
    summary: "Get an uploaded file's bytes, with the content type of the upload. Accepts `Range`.",
    replyContent: "*/*",
    status: 200,
    alsoStatus: [206],
  },
  deleteOpenAiFile: {
    method: "DELETE",
    path: "/openai/v1/files/{file_id}",
    scope: "run",
    summary: "Delete an uploaded file. Copies in workspaces stay.",
    reply: files.OpenAiFileDeleted,
    status: 200,
  },
} as const satisfies Record<string, Route>;

/** Returns whether a path belongs to OpenAI's API. */
export function isOpenAiPath(path: string): boolean {
  return path === openAiPrefix || path.startsWith(`${openAiPrefix}/`);
}
