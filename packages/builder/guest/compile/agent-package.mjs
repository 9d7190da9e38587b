// Puts the package @dari/agent into an agent that imports it. It is in no registry, so no agent has to install it, and
// each agent gets the release of its platform.

const namespace = "dari-agent";
const name = "@dari/agent";

/** Returns an esbuild plugin. `source`: the package's only module, in TypeScript. */
export function provideAgentPackage(source) {
  return {
    name: "agent-package",
    setup(build) {
      build.onResolve({ filter: /^@dari\/agent$/ }, () => ({ path: name, namespace }));
      build.onResolve({ filter: /^@dari\/agent\// }, ({ path }) => ({
        errors: [{ text: `${path} is for tests; an agent can import only "${name}"` }],
      }));
      build.onLoad({ filter: /.*/, namespace }, () => ({ contents: source, loader: "ts" }));
    },
  };
}

/** Returns whether a path of esbuild's inputs is this package. */
export const isAgentPackage = (path) => path === `${namespace}:${name}`;
