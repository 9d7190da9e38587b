// The turn that runs in a chat. It can be cancelled before its message has an id.

export interface RunningTurn {
  readonly isRunning: boolean;
  /** The message of the turn, once it is known. */
  readonly messageId: string | undefined;
  begin(): void;
  /** The platform has accepted the message. */
  sent(messageId: string): void;
  /** Cancels the message now, or as soon as it is sent. */
  cancel(): void;
  end(): void;
}

export function createRunningTurn(cancelMessage: (messageId: string) => void): RunningTurn {
  let isRunning = false;
  let isCancelled = false;
  let sentId: string | undefined;
  const set = (running: boolean): void => {
    isRunning = running;
    isCancelled = false;
    sentId = undefined;
  };
  return {
    get isRunning() {
      return isRunning;
    },
    get messageId() {
      return sentId;
    },
    begin: () => set(true),
    sent(messageId) {
      sentId = messageId;
      if (isCancelled) cancelMessage(messageId);
    },
    cancel() {
      if (sentId === undefined) isCancelled = isRunning;
      else cancelMessage(sentId);
    },
    end: () => set(false),
  };
}
