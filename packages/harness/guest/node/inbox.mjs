// Messages that clients send to steer the running turn. The host says only that some wait. `take` asks for them, so
// that their place in the session is where the agent got them.

/** What agents see of it is `Inbox` in @dari/agent. SDK adapters also use `onWaiting`. */
export class Inbox {
  #channel;
  #isHinted = false;
  #isOver = false;
  /** Messages that the agent has not got yet, in order. */
  #rest = [];
  /** How many of this attempt's messages the agent has got. Below zero: it has not got all earlier ones. */
  #given = 0;
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
    await this.#request();
    return this.#give(this.#rest.length);
  }

  /** Ends when the entrypoint has returned or the turn is stopped. */
  async *[Symbol.asyncIterator]() {
    while (!this.#isOver) {
      if (this.#rest.length === 0) await this.#request();
      const [message] = this.#give(1);
      if (message !== undefined) yield message;
      else if (!this.#isHinted && !this.#isOver) await this.#wait((resolve) => this.onWaiting(resolve));
    }
  }

  /** Removes up to `count` messages from the rest. After the end, it stays: the platform delivers it later. */
  #give(count) {
    const messages = this.#isOver ? [] : this.#rest.splice(0, count);
    this.#given += messages.length;
    return messages;
  }

  /** Adds what waits at the host to the rest. One request at a time: a later one finds what was announced since. */
  #request() {
    const request = this.#lastRequest.then(async () => {
      if (!this.#isHinted || this.#isOver) return;
      this.#isHinted = false;
      const messages = await this.#wait((resolve) => {
        this.#answer = resolve;
        void this.#channel.send({ t: "take" });
      });
      this.#rest.push(...messages.map(withText));
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

  /** Gives the agent what earlier runs of the turn have taken, before everything else. */
  static replay(inbox, earlier = []) {
    inbox.#rest.unshift(...earlier.map(withText));
    inbox.#given -= earlier.length;
  }

  /** For an agent that still has them. */
  static dropEarlier(inbox) {
    inbox.#given += inbox.#rest.splice(0, Math.max(0, -inbox.#given)).length;
  }

  /** Returns how many of this attempt's messages the agent has got. */
  static delivered(inbox) {
    return Math.max(0, inbox.#given);
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

const withText = ({ id, parts }) => ({ id, text: textOf(parts), parts });

/** The text parts, one paragraph each, as in a prompt. */
function textOf(parts) {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}
