// Returns the message's answer to an input, or ends this attempt.

const { stringify } = JSON;
const keyPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
const keyChars = 128;
const isMap = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns whether a value can be the key of an input, or the name of a step. */
export const isKey = (value) => typeof value === "string" && value.length <= keyChars && keyPattern.test(value);
export const keyRule = `must have 1 to ${keyChars} letters, digits and . _ : -, a letter or digit first`;

/** `suspend` sends a frame after which the turn can send nothing. */
export function createRequestInput(answers, limits, suspend) {
  /**
   * Resolves with the stored answer. Without one the turn waits and this process ends: the promise never settles, and
   * the entrypoint is called again once there is an answer. Throws if the input exceeds a limit.
   */
  return async function requestInput(key, schema, options = {}) {
    if (!isKey(key)) throw new TypeError(`requestInput: the key ${keyRule}`);
    if (Object.hasOwn(answers, key)) return answers[key];
    await suspend({ t: "ask", key, schema: checkSchema(schema, limits), ...checkOptions(options, limits) });
    return new Promise(() => {});
  };
}

function checkSchema(schema, limits) {
  const json = isMap(schema) ? stringify(schema) : undefined;
  if (json === undefined) throw new TypeError("requestInput: the schema must be a JSON Schema object");
  if (Buffer.byteLength(json) > limits.inputSchemaBytes) {
    throw new RangeError(`requestInput: the schema can have at most ${limits.inputSchemaBytes} bytes`);
  }
  return schema;
}

function checkOptions({ prompt, expiresInSeconds }, limits) {
  if (prompt !== undefined && (typeof prompt !== "string" || prompt.length > limits.inputPromptChars)) {
    throw new TypeError(`requestInput: the prompt must be text of at most ${limits.inputPromptChars} characters`);
  }
  const most = limits.inputWaitSeconds;
  const isWait = Number.isSafeInteger(expiresInSeconds) && expiresInSeconds >= 1 && expiresInSeconds <= most;
  if (expiresInSeconds !== undefined && !isWait) {
    throw new RangeError(`requestInput: expiresInSeconds must be a whole number from 1 to ${most}`);
  }
  return { prompt, waitSeconds: expiresInSeconds };
}
