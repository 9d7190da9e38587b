// What Ctrl-C does in a chat: it cancels the running turn. Pressed twice, it ends the chat.

export type Interrupted = "cancel" | "hint" | "leave";

export interface Interrupts {
  press(isTurnRunning: boolean): Interrupted;
  /** The user has entered a line, or a turn has ended: the next Ctrl-C is a first one again. */
  reset(): void;
}

export function createInterrupts(): Interrupts {
  let isPressed = false;
  return {
    press(isTurnRunning) {
      if (isPressed) return "leave";
      isPressed = true;
      return isTurnRunning ? "cancel" : "hint";
    },
    reset() {
      isPressed = false;
    },
  };
}
