// Stops everything that a rehearsal started if it ends early, because servers outlive the process that started them.

import { inspect } from "node:util";

const interrupted = 130;

/** On SIGINT, SIGTERM and an uncaught error: closes the stack, then exits. */
export function exitOnSignal(stack: AsyncDisposableStack): void {
  const leave = (code: number): void => void stack.disposeAsync().finally(() => process.exit(code));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => leave(interrupted));
  process.once("uncaughtException", (error) => {
    process.stderr.write(`${inspect(error)}\n`);
    leave(1);
  });
}
