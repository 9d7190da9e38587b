// Messages that steer a run of @openai/agents. The SDK's run has no place for them, so they are added to the input of
// each model request from the next one on, and to the conversation that is stored.

import { fingerprint } from "./memory.mjs";

/**
 * `read(message)` resolves with the item of a message of the inbox. `saved`: what `entries` has returned for the run
 * that this one continues.
 */
export function steerRun(inbox, read, saved = []) {
  const entries = [...saved];

  /** Returns the items with each message at its place. If its place is gone, a message is the last item. */
  function addTo(items) {
    const all = [...items];
    for (const { item, at, after } of entries.toReversed()) {
      all.splice(keyOf(items[at - 1]) === after ? at : items.length, 0, item);
    }
    return all;
  }

  return {
    /** For `callModelInputFilter`: all results of the tools before this request are in its input. */
    async filter({ modelData }) {
      const { input } = modelData;
      for (const message of await inbox.take()) {
        const place = { at: input.length, after: keyOf(input.at(-1)) };
        entries.push({ ...place, item: await read(message), fingerprint: fingerprint(message.parts) });
      }
      return { ...modelData, input: addTo(input) };
    },
    addTo,
    entries: () => entries,
    fingerprints: () => entries.map((entry) => entry.fingerprint),
  };
}

function keyOf({ type, role, callId, id, content } = {}) {
  return JSON.stringify([type, role, callId ?? id ?? content]);
}
