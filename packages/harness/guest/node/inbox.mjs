// Messages that clients send to steer the running turn. The host says only that some wait. `take` asks for them, so
// that their place in the session is where the agent got them.

/** What agents see of it is `Inbox` in @dari/agent. SDK adapters also use `onWaiting`. */
export class Inbox {
  #channel;
  #isHinted = false;
  #isOver = false;
  /** Messages that an iterator has taken but not delivered. */
  #rest = [];
  /** Settles the request that waits for the host. */
  #answer;
  #lastRequest = Promise.resolve();
  #listeners = new Set();
  /** How many calls wait for the host. */
  #waiters = 0;

  constructor(channel) {
    this.#channel = channel;
  }

  /** Whether `take` may return messages. */
  get isWaiting() {
    return !this.#isOver && (this.#isHinted || this.#rest.length > 0);
  }

  /** Whether a call or a listener waits for the host. */
  get hasWaiters() {
    return this.#waiters > 0 || this.#listeners.size > 0;
  }

  /** Calls back each time the host says that messages wait, and at the turn's end. Returns a function that stops it. */
  onWaiting(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves with the messages that wait, oldest first: `[{id, text, parts}]`. Asks the host only if some do. */
  async take() {
    if (!this.isWaiting) return [];
    const rest = this.#rest.splice(0);
    return [...rest, ...(await this.#request())];
  }

  /** Ends when the entrypoint has returned or the turn is stopped. */
  async *[Symbol.asyncIterator]() {
    while (!this.#isOver) {
      if (this.#rest.length === 0) this.#rest.push(...(await this.#request()));
      if (this.#rest.length > 0) yield this.#rest.shift();
      else if (!this.#isHinted && !this.#isOver) await this.#wait((resolve) => this.onWaiting(resolve));
    }
  }

  /** One request at a time: a later one finds what the host has announced since. */
  #request() {
    const request = this.#lastRequest.then(async () => {
      if (!this.#isHinted || this.#isOver) return [];
      this.#isHinted = false;
      const messages = await this.#wait((resolve) => {
        this.#answer = resolve;
        void this.#channel.send({ t: "take" });
      });
      return messages.map(({ id, parts }) => ({ id, text: textOf(parts), parts }));
    });
    this.#lastRequest = request;
    return request;
  }

  async #wait(start) {
    this.#waiters += 1;
    let stop;
    try {
      return await new Promise((resolve) => (stop = start(resolve)));
    } finally {
      this.#waiters -= 1;
      stop?.();
    }
  }

  /** For the frames of the host. */
  static hint(inbox) {
    if (inbox.#isOver) return;
    inbox.#isHinted = true;
    inbox.#notify();
  }

  static deliver(inbox, messages) {
    inbox.#answer?.(messages);
    inbox.#answer = undefined;
  }

  /** Nothing more can be taken. */
  static end(inbox) {
    inbox.#isOver = true;
    Inbox.deliver(inbox, []);
    inbox.#notify();
  }

  #notify() {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** The text parts, one paragraph each, as in a prompt. */
function textOf(parts) {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}
