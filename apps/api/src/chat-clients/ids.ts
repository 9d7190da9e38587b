// The ids that chat clients get, and the addresses of files. Pure.

import { isId } from "@dari/domain";

/** Names an input in all messages of a session: clients look for it in the whole conversation. */
export function inputIdOf(messageId: string, key: string): string {
  return `${messageId}:${key}`;
}

export interface InputId {
  readonly messageId: string;
  readonly key: string;
}

/** Returns undefined for the id of anything else. */
export function parseInputId(id: unknown): InputId | undefined {
  if (typeof id !== "string") return undefined;
  const colon = id.indexOf(":");
  const messageId = id.slice(0, Math.max(0, colon));
  return isId("message", messageId) ? { messageId, key: id.slice(colon + 1) } : undefined;
}

/** Returns the id of the message that an id names: its own, or its answer's. Undefined for ids of clients. */
export function messageOf(id: unknown): string | undefined {
  if (typeof id !== "string") return undefined;
  const messageId = id.replace(/^resp_/, "msg_");
  return isId("message", messageId) ? messageId : undefined;
}

/** Returns whether an id names the answer of a message. */
export function isAnswerId(id: string): boolean {
  return id.startsWith("resp_") && messageOf(id) !== undefined;
}

/** Returns the name under which clients get an event of the agent. Names that begin with `dari` are the platform's. */
export function shownNameOf(name: string): string {
  return /^dari[-.]/.test(name) ? `agent-${name}` : name;
}

/** Addresses are relative to the API, and need a key as every call does. */
export function workspaceFileUrl(sessionId: string, path: string): string {
  return `/v1/sessions/${sessionId}/files/content?path=${encodeURIComponent(path)}`;
}

export function uploadedFileUrl(fileId: string): string {
  return `/v1/files/${fileId}/content`;
}

const mediaTypes: ReadonlyMap<string, string> = new Map(
  Object.entries({
    csv: "text/csv",
    gif: "image/gif",
    html: "text/html",
    jpeg: "image/jpeg",
    jpg: "image/jpeg",
    json: "application/json",
    md: "text/markdown",
    mp3: "audio/mpeg",
    mp4: "video/mp4",
    pdf: "application/pdf",
    png: "image/png",
    svg: "image/svg+xml",
    txt: "text/plain",
    webp: "image/webp",
    zip: "application/zip",
  }),
);

/** Clients choose by the type how they show a file. The file itself is sent with its own headers. */
export function mediaTypeOf(filename: string): string {
  return mediaTypes.get(filename.slice(filename.lastIndexOf(".") + 1).toLowerCase()) ?? "application/octet-stream";
}
