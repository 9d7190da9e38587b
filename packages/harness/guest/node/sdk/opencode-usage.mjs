// Computes what an OpenCode turn has used at its models, including subagents.

/**
 * Sums the model's answers since a time in milliseconds, in the session and in the sessions of its subagents. OpenCode
 * does not count requests for titles of sessions.
 */
export async function usageSince(since, { client, query, session }) {
  const infos = (await messagesOf(session, since, { client, query })).map(({ info }) => info);
  return sumOf(infos.filter(({ role, time }) => role === "assistant" && (time?.created ?? 0) >= since));
}

/** Returns the messages of this session, and of all sessions below it that were used since then. */
async function messagesOf(session, since, { client, query }) {
  const path = { id: session };
  const { data: messages, error } = await client.session.messages({ path, query });
  if (messages === undefined) throw new Error(`OpenCode lists no messages of the session: ${JSON.stringify(error)}`);
  const children = (await client.session.children?.({ path, query }))?.data ?? [];
  const used = children.filter(({ time }) => (time?.updated ?? since) >= since);
  const below = await Promise.all(used.map(({ id }) => messagesOf(id, since, { client, query })));
  return [...messages, ...below.flat()];
}

function sumOf(steps) {
  const sum = (pick) => steps.reduce((total, step) => total + (pick(step) ?? 0), 0);
  const cached = sum(({ tokens }) => tokens?.cache?.read);
  const input = sum(inputOf);
  const output = sum(outputOf);
  return {
    requests: steps.length,
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    cached_input_tokens: cached,
    reasoning_tokens: sum(({ tokens }) => tokens?.reasoning),
    cost_usd: sum(({ cost }) => cost),
  };
}

const inputOf = ({ tokens }) => (tokens?.input ?? 0) + (tokens?.cache?.read ?? 0) + (tokens?.cache?.write ?? 0);

/** Versions with a `total` exclude reasoning from `output`; older ones do not. */
function outputOf(step) {
  const { tokens } = step;
  return tokens?.total === undefined ? tokens?.output : Math.max(tokens.output, tokens.total - inputOf(step));
}
