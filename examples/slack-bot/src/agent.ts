// Answers in Slack when somebody mentions it, in the thread of the mention. A trigger turns each mention into a
// message: its first part is what was said, its second part the event's JSON. Each thread is a session, so the agent
// knows what was said before. It needs no model: replace `draftReply` with a call of a model.

/** The second argument that the platform passes, after the prompt. It has more fields than are used here. */
interface Context {
  readonly parts: readonly { readonly type: string; readonly text?: string }[];
  /** The earlier messages of this session and their answers. */
  readonly history: readonly { readonly role: string }[];
}

interface MentionEvent {
  readonly event: { readonly channel: string; readonly ts: string; readonly thread_ts?: string; readonly user: string };
}

const api = process.env["SLACK_API_URL"] ?? "https://slack.com/api";

export async function agent(prompt: string, { parts, history }: Context): Promise<string> {
  const { event } = JSON.parse(parts[1]?.text ?? "{}") as MentionEvent;
  const text = draftReply(parts[0]?.text ?? prompt, event.user, history.length / 2);
  // Slack does not recognize a repeated call, so `dari.yml` allows one attempt, also if its worker is lost.
  await slack("chat.postMessage", { channel: event.channel, thread_ts: event.thread_ts ?? event.ts, text });
  return text;
}

/** Takes the place of a model's call. */
function draftReply(said: string, user: string, turnsBefore: number): string {
  const question = said.replace(/<@[A-Z0-9]+>/g, "").trim();
  return `<@${user}> You said: ${question}${turnsBefore > 0 ? ` (turn ${turnsBefore + 1} of this thread)` : ""}`;
}

async function slack(method: string, body: object): Promise<void> {
  const response = await fetch(`${api}/${method}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${process.env["SLACK_BOT_TOKEN"] ?? ""}`,
      "content-type": "application/json; charset=utf-8",
    },
    body: JSON.stringify(body),
  });
  const reply = (await response.json()) as { readonly ok: boolean; readonly error?: string };
  if (!reply.ok) throw new Error(`Slack answered ${method} with ${reply.error ?? response.status}`);
}
