// Packages that sources import, and that nothing provides: as esbuild says it, and as Node does.

const missing = /(?:Could not resolve "|Cannot find (?:package|module) ')((?:@[\w.-]+\/)?\w[\w.-]*)(?=["'/])/g;

/** What to do about those that an error's text names: a line, or none. */
export function adviseMissing(text: string): string[] {
  const names = new Set([...text.matchAll(missing)].map(([, name]) => name));
  return names.size === 0 ? [] : [`add ${[...names].join(", ")} to the dependencies of package.json`];
}
