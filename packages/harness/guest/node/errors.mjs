// Describes an agent's error for the channel.

const messageChars = 8_000;
const stackChars = 32_000;

/** A failure that the guest found. Its message is for the agent's author. */
export class TurnError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Returns code, message and stack of any thrown value. */
export function describeError(error) {
  try {
    const isError = error instanceof Error || (typeof error?.message === "string" && typeof error?.stack === "string");
    const message = isError ? `${error.name}: ${error.message}` : `the agent threw ${String(error)}`;
    const cause = isError && error.cause instanceof Error ? `\nCaused by: ${error.cause.stack}` : "";
    const stack = isError ? `${error.stack}${cause}` : "";
    const code = isError && lacksMemory(error) ? "out_of_memory" : "agent_error";
    return { code, message: message.slice(0, messageChars), stack: stack.slice(0, stackChars) };
  } catch {
    return { code: "agent_error", message: "the agent threw a value that cannot be shown", stack: "" };
  }
}

/** What Node and V8 throw if the sandbox has no memory for a buffer. */
function lacksMemory({ code, name, message }) {
  if (code === "ERR_MEMORY_ALLOCATION_FAILED") return true;
  return name === "RangeError" && message === "Array buffer allocation failed";
}
