// Recognizes imported packages that are not installed, from errors of esbuild and Node.

/** The packages that every agent can import without installing them. They are in no registry. */
export const providedPackages = { typescript: "@dari/agent", python: "dari_agent" } as const;

const missing = /(?:Could not resolve "|Cannot find (?:package|module) ')((?:@[\w.-]+\/)?\w[\w.-]*)(?=["'/])/g;

/** Returns one line with what to do about the packages in an error's text, or nothing. */
export function adviseMissingPackages(text: string): string[] {
  const names = new Set([...text.matchAll(missing)].map(([, name]) => name));
  return names.size === 0 ? [] : [`add ${[...names].join(", ")} to the dependencies of package.json`];
}

/** Returns what to do if an installer looked for a package that the platform provides. */
export function adviseProvidedPackages(text: string): string[] {
  if (/@dari(\/|%2f|-)agent|dari-agent\.tgz/i.test(text)) {
    return [`the platform provides ${providedPackages.typescript}: move it to the devDependencies of package.json`];
  }
  if (/dari[-_.]agent/i.test(text)) {
    return [`the platform provides ${providedPackages.python}: remove it from the dependencies`];
  }
  return [];
}
