// A rehearsal that is told to stop takes away first what it has started: servers outlive whoever started them.

const interrupted = 130;

/** On SIGINT and SIGTERM: closes the stack, then ends the process. */
export function leaveEarlyWith(stack: AsyncDisposableStack): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stack.disposeAsync().finally(() => process.exit(interrupted)));
  }
}
