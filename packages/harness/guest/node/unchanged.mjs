// Tells whether the agent's code has replaced what a rehearsal would call.

import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { types } from "node:util";

/** What the run of an SDK uses of the language and of Node. */
const names = [
  ...["Array", "Date", "Function", "JSON", "Map", "Object", "Promise", "Reflect", "RegExp", "Set", "String", "Symbol"],
  ...["WeakMap", "WeakSet", "AbortController", "AbortSignal", "Event", "EventTarget", "TextDecoder", "TextEncoder"],
  ...["Headers", "ReadableStream", "Request", "Response", "TransformStream", "URL", "crypto", "fetch"],
  ...["clearTimeout", "queueMicrotask", "setTimeout", "structuredClone"],
  // All copies of fetch's implementation send their requests with it.
  Symbol.for("undici.globalDispatcher.1"),
];
const { getOwnPropertyDescriptor, getPrototypeOf, is } = Object;
const { ownKeys } = Reflect;
export const { isProxy } = types;
const sourceText = Function.prototype.toString;

const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

/** Called before the agent's code is loaded. Returns a function that tells whether that code has replaced something. */
export function rememberRuntime() {
  const values = [...names.map((name) => globalThis[name]), AsyncLocalStorage, EventEmitter];
  const owners = new Set(values.flatMap((value) => [value, value?.prototype]).filter(isObject));
  const places = [...owners].flatMap((owner) => ownKeys(owner).map((key) => [owner, key]));
  const known = [...names.map((name) => [globalThis, name]), ...places].map(([owner, key]) => {
    return { owner, key, before: getOwnPropertyDescriptor(owner, key) };
  });
  return () => {
    // Without an iterator, which may be the agent's.
    for (let i = 0; i < known.length; i += 1) {
      const { owner, key, before } = known[i];
      const now = getOwnPropertyDescriptor(owner, key);
      if (!is(now?.value, before?.value) || now?.get !== before?.get || now?.set !== before?.set) return true;
    }
    return false;
  };
}

const textOf = (made) => sourceText.call(made);

export const isClass = (value) => typeof value === "function" && /^class\b/.test(textOf(value));

/**
 * Whether each method of the class has the text that the class has in its source: a method that was replaced is written
 * elsewhere. `originalOf(method)` returns the method that the guest itself has replaced.
 */
export function hasOwnMethods(made, originalOf = (method) => method) {
  const body = textOf(made);
  const isOwn = (method) => typeof method !== "function" || body.includes(textOf(originalOf(method)));
  return ownKeys(made.prototype).every((key) => {
    const { value, get, set } = getOwnPropertyDescriptor(made.prototype, key);
    return isOwn(value) && isOwn(get) && isOwn(set);
  });
}

/** Whether all classes of the object have only their own methods. */
export function hasOwnClasses(object) {
  for (let proto = getPrototypeOf(object); proto !== Object.prototype; proto = getPrototypeOf(proto)) {
    const made = proto === null ? undefined : getOwnPropertyDescriptor(proto, "constructor")?.value;
    if (!isClass(made) || made.prototype !== proto || !hasOwnMethods(made)) return false;
  }
  return true;
}
