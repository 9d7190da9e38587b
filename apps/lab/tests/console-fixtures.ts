// Agents for the console's tests, and the due times that a schedule will have later.

import type { FiringRecord } from "@dari/contract";
import { manifestFile } from "../src/conversation.ts";

/** Sends half of its answer, waits for the test, writes a file and sends the rest. Fails on request. */
export const echoAgent = (name: string, meetingUrl: string) => ({
  ...manifestFile({ name, entrypoint: "agent.mjs:agent", env: { MEETING: meetingUrl } }),
  "agent.mjs": `import { mkdir, writeFile } from "node:fs/promises";
    export async function* agent(prompt, context) {
      console.log("asked: " + prompt);
      if (prompt.includes("fail")) throw new Error("as you wish");
      if (prompt.includes("say nothing")) return;
      yield "You said: ";
      await context.emit("thinking", { about: prompt });
      await (await fetch(process.env.MEETING)).text();
      await mkdir("output", { recursive: true });
      await writeFile("output/reply.md", "# Reply\\n\\nYou said: " + prompt + "\\n");
      yield prompt;
    }`,
});

/** One due time of each outcome. */
export function firingsOf(schedule_id: string, message_id: string): FiringRecord[] {
  const none = { session_id: null, message_id: null, message_status: null, missed_count: null };
  const record = (minute: number, fields: Pick<FiringRecord, "outcome" | "reason"> & Partial<FiringRecord>) => {
    const time = new Date(Date.UTC(2026, 0, 1, 9, minute)).toISOString();
    return { id: `fire_${minute}`, schedule_id, due_at: time, created_at: time, ...none, ...fields };
  };
  return [
    record(4, { outcome: "fired", reason: null, message_id, message_status: "completed" }),
    record(3, { outcome: "skipped", reason: { code: "overlap", message: "The message before is still open." } }),
    record(2, { outcome: "missed", reason: { code: "late", message: "The platform was behind." }, missed_count: 12 }),
    record(1, { outcome: "failed", reason: { code: "file_deleted", message: "A file of it is gone." } }),
  ];
}

/** Writes files that try to run as pages or scripts. Waits or fails on request. */
export const filesAgent = (meetingUrl: string) => ({
  ...manifestFile({ name: "worker", entrypoint: "agent.mjs:agent", env: { MEETING: meetingUrl } }),
  "agent.mjs": `import { mkdir, writeFile } from "node:fs/promises";
    const script = "window.ran = true; if (window.opener) window.opener.ran = true";
    const schema = { type: "object", required: ["sure"], properties: {
      sure: { type: "boolean", title: "Are you sure?" }, note: { type: "string" } } };
    export async function agent(prompt, context) {
      if (prompt.includes("ask")) {
        const { sure, note } = await context.requestInput("sure", schema, { prompt: "Shall I send it?" });
        return "You decided: " + sure + ", " + note;
      }
      if (prompt.includes("fail")) throw new Error("as you wish");
      if (prompt.includes("wait")) await (await fetch(process.env.MEETING)).text();
      await mkdir("output", { recursive: true });
      await writeFile("output/page.html", "<h1>Not a page</h1><script>" + script + "</script>");
      await writeFile("output/picture.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60" onload="' +
        script + '"><script>' + script + '</script><circle cx="40" cy="30" r="25" fill="#2450c5"/></svg>');
      await writeFile("output/<img src=x onerror='ran=true'>.txt", "a name, and no more");
      return "<b>bold</b> <script>" + script + "</script>";
    }`,
});
