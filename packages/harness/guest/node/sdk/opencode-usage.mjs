// What a turn of OpenCode has used at its models, its subagents' sessions included.

/**
 * Sums the model's answers that were begun since the message `parentId` of `session`: those of the session itself, and
 * those of the sessions that its subagents have below it. Titles of sessions are counted nowhere by OpenCode.
 */
export async function usageSince(parentId, messages, { client, query, session }) {
  const since = messages.find(({ info }) => info.id === parentId)?.info.time?.created ?? 0;
  const infos = [messages, ...(await messagesBelow(session, since, { client, query }))].flat().map(({ info }) => info);
  return sumOf(infos.filter(({ role, time }) => role === "assistant" && (time?.created ?? 0) >= since));
}

/** Lists of messages of all sessions below this one that were used since then. */
async function messagesBelow(session, since, { client, query }) {
  const children = (await client.session.children?.({ path: { id: session }, query }))?.data ?? [];
  const used = children.filter(({ time }) => (time?.updated ?? since) >= since);
  const read = async ({ id }) => {
    const { data = [] } = await client.session.messages({ path: { id }, query });
    return [data, ...(await messagesBelow(id, since, { client, query }))];
  };
  return (await Promise.all(used.map(read))).flat();
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

/** Versions that know a `total` leave the reasoning out of `output`; older ones do not. */
function outputOf(step) {
  const { tokens } = step;
  return tokens?.total === undefined ? tokens?.output : Math.max(tokens.output, tokens.total - inputOf(step));
}
