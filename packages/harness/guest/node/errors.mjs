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

const refusedText = /\b401\b|\bauthentication[_ ]error\b|\b(invalid|incorrect)( x)?[ -]api[ -]key\b/i;
const refusedAdvice =
  "A service refused the agent's credential (401 Unauthorized). Check its value, and replace it with " +
  "`dari credentials add`. If it has hosts, only HTTPS requests to them carry the value.";
const causesMax = 5;

/** Returns the failure for a model's error, which an SDK reports as text. */
export function modelError(text) {
  if (!refusedText.test(text)) return new TurnError("agent_error", text);
  return new TurnError("credential_refused", withRefusedAdvice(text));
}

const withRefusedAdvice = (message) => `${message.slice(0, messageChars - 200)}\n${refusedAdvice}`;

/** Returns code, message and stack of any thrown value. */
export function describeError(error) {
  try {
    if (isRefused(error)) {
      const { message, stack } = describeThrown(error);
      return { code: "credential_refused", message: withRefusedAdvice(message), stack };
    }
    return describeThrown(error);
  } catch {
    return { code: "agent_error", message: "the agent threw a value that cannot be shown", stack: "" };
  }
}

/** Returns whether an HTTP client threw the error for a reply with status 401. */
function isRefused(error) {
  for (let at = error, i = 0; typeof at === "object" && at !== null && i < causesMax; at = at.cause, i += 1) {
    if ([at.status, at.statusCode, at.response?.status].includes(401)) return true;
  }
  return false;
}

function describeThrown(error) {
  const isError = error instanceof Error || (typeof error?.message === "string" && typeof error?.stack === "string");
  const message = isError ? `${error.name}: ${error.message}` : `the agent threw ${String(error)}`;
  const cause = isError && error.cause instanceof Error ? `\nCaused by: ${error.cause.stack}` : "";
  const stack = isError ? `${error.stack}${cause}` : "";
  const code = isError && lacksMemory(error) ? "out_of_memory" : "agent_error";
  return { code, message: message.slice(0, messageChars), stack: stack.slice(0, stackChars) };
}

/** Returns whether an error is one that Node and V8 throw if the sandbox has no memory for a buffer. */
function lacksMemory({ code, name, message }) {
  if (code === "ERR_MEMORY_ALLOCATION_FAILED") return true;
  return name === "RangeError" && message === "Array buffer allocation failed";
}

/** Objects of an SDK can change between its versions, and an agent can change them, so reading them can throw. */
export function ignoringErrors(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
