// The todos of a session of @anthropic-ai/claude-agent-sdk. Older versions write the whole list with one tool. Newer
// ones have a list of tasks, which tools change one by one.

import { cutText } from "../activity.mjs";

const { stringify } = JSON;
const planItems = 50;
const planItemChars = 500;

/** `saved`: what `entries` of an earlier turn has returned. */
export function openPlan(saved = []) {
  let tasks = new Map(saved);
  let last;

  const toItem = ({ content, subject, status }) => {
    return { text: cutText(String(content ?? subject), planItemChars), status: String(status) };
  };

  const changes = {
    TodoWrite: ({ todos }) => todos,
    TaskCreate: (_input, { task }) => {
      tasks.set(task.id, { subject: task.subject, status: "pending" });
    },
    TaskUpdate: ({ taskId, subject, status }) => {
      const task = tasks.get(taskId);
      if (status === "deleted") tasks.delete(taskId);
      else if (task) tasks.set(taskId, { subject: subject ?? task.subject, status: status ?? task.status });
    },
    TaskList: (_input, output) => {
      tasks = new Map(output.tasks.map(({ id, subject, status }) => [id, { subject, status }]));
    },
  };

  return {
    changes: (tool) => Object.hasOwn(changes, tool),
    /** Applies a call that has succeeded. Returns the list after it; undefined if the call has changed nothing. */
    apply(tool, input, output) {
      if (output?.success === false) return undefined;
      const all = changes[tool](input, output) ?? [...tasks.values()];
      const items = all.slice(0, planItems).map(toItem);
      const before = last;
      last = stringify(items);
      return last === before ? undefined : items;
    },
    entries: () => [...tasks].slice(0, planItems),
  };
}
