// Which ring of tests runs. jest.config.mjs chooses the files of each.

/** Returns whether this run has time for what is slow and rarely breaks: `npm run test:nightly`. */
export function isNightly(): boolean {
  return process.env["DARI_TEST_RING"] === "nightly";
}

/** Returns jest's `test` or `describe` at night, and otherwise its `skip`: `atNight(test)("a name", ...)`. */
export function atNight<T extends { readonly skip: unknown }>(kind: T): T {
  return isNightly() ? kind : (kind.skip as T);
}
