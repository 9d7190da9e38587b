// Agents that take messages while their turn runs. inbox_agents.py has the same for Python.

export const takesMessages = async (_prompt, { inbox, emit }) => {
  const before = [inbox.isWaiting, await inbox.take()];
  const hinted = new Promise((resolve) => inbox.onWaiting(resolve));
  await emit("ready");
  await hinted;
  const isWaiting = inbox.isWaiting;
  const taken = await Promise.all([inbox.take(), inbox.take()]);
  return { before, isWaiting, taken, after: [inbox.isWaiting, await inbox.take()] };
};

export const iteratesInbox = async (_prompt, { inbox, emit }) => {
  const got = [];
  await emit("ready");
  for await (const { text } of inbox) {
    got.push(text);
    if (text === "break") break;
    await emit("got", text);
  }
  const rest = await inbox.take();
  return [...got, ...rest.map(({ text }) => text)];
};

export const leavesMessages = async (_prompt, context) => {
  await context.emit("ready");
  for await (const _ of context.inbox) return "done";
};

export const leavesMessagesAndAsks = async (prompt, context) => {
  await leavesMessages(prompt, context);
  await context.requestInput("unknown", {});
};

export const leavesMessagesAndFails = async (prompt, context) => {
  await leavesMessages(prompt, context);
  throw new Error("failed");
};

/** Iterates in the background, and returns after the iteration has asked for more, before the answer comes. */
export const endsWhileItAsks = async (_prompt, { inbox, emit }) => {
  const got = [];
  await emit("ready");
  await new Promise((resolve) => {
    void (async () => {
      for await (const { text } of inbox) resolve(got.push(text));
    })();
  });
  const hinted = new Promise((resolve) => inbox.onWaiting(resolve));
  await emit("got");
  await hinted;
  // The next frame of the host is read after this.
  await new Promise(setImmediate);
  return got;
};

/** Ends its iteration when it is stopped, and then its work. */
export const iteratesForever = async (_prompt, { inbox, emit, reportUsage }) => {
  await emit("ready");
  for await (const _ of inbox);
  await reportUsage({ ended: 1 });
};
