// A secret that prints as ***, so that a log line, an error or JSON cannot leak it by accident.

const inspectCustom = Symbol.for("nodejs.util.inspect.custom");

export class Redacted<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** Returns the secret itself. Call it where it is used, never where it is logged. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspectCustom](): string {
    return "***";
  }
}
