// Finds the error that a tool of @openai/agents threw. The SDK catches it, tells the model something else, and passes
// the error to no hook.

import { ignoringErrors } from "../errors.mjs";

/**
 * Returns what `invoke` returns. `onError` gets the error of the tool's code, before the result is there.
 *
 * The SDK's `invoke` ends with `run(…).catch(handle)`, called before it returns its promise. So the promise of the last
 * `catch` is that of the tool's code. A second handler of that promise changes nothing for the first one.
 */
export function noticingError(invoke, onError) {
  const { catch: method, then } = Promise.prototype;
  let last;
  const replace = (value) => ignoringErrors(() => void (Promise.prototype.catch = value));
  replace(function (handle) {
    // The SDK's handler is an async function. A tool's own code may handle a promise of its own here.
    if (handle?.constructor?.name === "AsyncFunction") last = this;
    return method.call(this, handle);
  });
  try {
    return invoke();
  } finally {
    replace(method);
    if (last instanceof Promise) then.call(last, undefined, (error) => void ignoringErrors(() => onError(error)));
  }
}
