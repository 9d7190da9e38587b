// The input of a session of @anthropic-ai/claude-agent-sdk. It stays open while the session works, so that messages
// that steer the turn can follow the first one: after all results of a batch of tools, and after an answer.

/**
 * `first`: the content of the first message. `read(message)` resolves with the content of a message of the inbox. The
 * input ends after an answer, if no message waits then.
 */
export function openInput(first, inbox, read) {
  const waiting = [first];
  let wake = () => {};
  let isOver = false;

  async function take() {
    const messages = isOver ? [] : await inbox.take();
    for (const message of messages) waiting.push(await read(message));
    wake();
    return messages.length > 0;
  }

  function end() {
    isOver = true;
    wake();
  }

  /** The session hands over what it gets here with its next request. Subagents are not steered. */
  async function afterTools({ agent_id: subagent }) {
    if (subagent !== undefined) return {};
    // First, the reader of the session records the tools' results.
    await turnOfEventLoop();
    // The session must get the messages before the reply of this hook.
    if (await take()) await turnOfEventLoop();
    return {};
  }

  return {
    async *messages() {
      for (;;) {
        while (waiting.length > 0) yield toMessage(waiting.shift());
        if (isOver) return;
        await new Promise((resolve) => (wake = resolve));
      }
    },
    /** Returns the agent's hooks, with the one that steers. */
    hooks: (own = {}) => ({ ...own, PostToolBatch: [...(own.PostToolBatch ?? []), { hooks: [afterTools] }] }),
    /** Call it with each result of the session. */
    async takeResult({ subtype, is_error }) {
      const isFailed = subtype !== "success" || is_error === true;
      if (isFailed || !(await take())) end();
    },
  };
}

const turnOfEventLoop = () => new Promise((resolve) => setImmediate(resolve));

const toMessage = (content) => ({
  type: "user",
  message: { role: "user", content },
  parent_tool_use_id: null,
  session_id: "",
});
