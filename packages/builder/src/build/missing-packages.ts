// Recognizes imported packages that are not installed, from errors of esbuild and Node.

const missing = /(?:Could not resolve "|Cannot find (?:package|module) ')((?:@[\w.-]+\/)?\w[\w.-]*)(?=["'/])/g;

/** Returns one line with what to do about the packages in an error's text, or nothing. */
export function adviseMissingPackages(text: string): string[] {
  const names = new Set([...text.matchAll(missing)].map(([, name]) => name));
  return names.size === 0 ? [] : [`add ${[...names].join(", ")} to the dependencies of package.json`];
}
