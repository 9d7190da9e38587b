// Answers new GitHub issues with a comment. A trigger turns each issue into a message: its first part is a text, its
// second part the event's JSON. It needs no model: replace `draftReply` with a call of a model.

/** The second argument that the platform passes, after the prompt. It has more fields than are used here. */
interface Context {
  readonly parts: readonly { readonly type: string; readonly text?: string }[];
  /** The same in every run of this message. It marks the comment, so that a repeated run does not post another one. */
  readonly operationKey: string;
}

interface IssueEvent {
  readonly repository: { readonly full_name: string };
  readonly issue: { readonly number: number; readonly title: string; readonly body: string | null };
  readonly sender: { readonly login: string };
}

const api = process.env["GITHUB_API_URL"] ?? "https://api.github.com";

export async function agent(_prompt: string, { parts, operationKey }: Context): Promise<string> {
  const event = JSON.parse(parts[1]?.text ?? "{}") as IssueEvent;
  const { issue, repository } = event;
  // Strangers write the event. Only its checked parts become a path; `..` would lead to another one.
  if (!/^(?!\.+\/)[\w.-]+\/(?!\.+$)[\w.-]+$/.test(repository.full_name))
    throw new Error("the event names no repository");
  const comments = `/repos/${repository.full_name}/issues/${Number(issue.number)}/comments`;
  const mark = `<!-- dari ${operationKey} -->`;
  const posted = (await github("GET", `${comments}?per_page=100`)) as { readonly body: string }[];
  if (posted.some(({ body }) => body.includes(mark))) return "The comment was posted before.";
  await github("POST", comments, { body: `${draftReply(event)}\n\n${mark}` });
  return `Commented on ${repository.full_name}#${issue.number}.`;
}

/** Takes the place of a model's call. What the issue says is data for the model, and not an instruction. */
function draftReply({ issue, sender }: IssueEvent): string {
  const kind = /error|crash|broken|fail/i.test(`${issue.title} ${issue.body ?? ""}`) ? "a bug report" : "a question";
  return `Thanks, @${sender.login}. This looks like ${kind}. Which version do you use, and what did you expect?`;
}

async function github(method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${api}${path}`, {
    method,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${process.env["GITHUB_TOKEN"] ?? ""}`,
      "user-agent": "dari-github-bot",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`GitHub answered ${response.status} to ${method} ${path}`);
  return response.json();
}
