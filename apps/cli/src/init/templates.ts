// The files that `dari init` writes, by path.

import { dariRelease } from "@dari/contract/vocabulary";
import type { InitChoice, InitKind } from "./kinds.ts";
import { functionInPython, functionInTypescript, functionTestInPython, functionTestInTypescript } from "./function.ts";
import { sdkInPython, sdkInTypescript, sdkPackages, sdkSecrets } from "./sdks.ts";

export type Files = Readonly<Record<string, string>>;

/** `apiUrl`: the platform that serves the package for editors and tests. */
export function templateFiles(name: string, { language, kind }: InitChoice, apiUrl: string): Files {
  return language === "python" ? pythonFiles(name, kind, apiUrl) : typescriptFiles(name, kind, apiUrl);
}

function typescriptFiles(name: string, kind: InitKind, apiUrl: string): Files {
  const own = kind === "function" ? { "@dari/agent": `${apiUrl}/packages/dari-agent.tgz` } : {};
  const manifest = {
    name: packageName(name),
    private: true,
    type: "module",
    engines: { node: ">=22.18" },
    scripts: {
      ...(kind === "function" ? { dev: "dari-agent run" } : {}),
      test: "node --test test/*.test.ts",
      typecheck: "tsc",
    },
    ...(kind === "function" ? {} : { dependencies: sdkPackages.typescript[kind] }),
    devDependencies: { ...own, "@types/node": "^24.0.0", typescript: "^5.9.0" },
  };
  return {
    "dari.yml": manifestText(name, kind, "src/agent.ts:agent"),
    "src/agent.ts": kind === "function" ? functionInTypescript : sdkInTypescript[kind],
    "test/agent.test.ts": kind === "function" ? functionTestInTypescript : sdkTestInTypescript,
    "package.json": `${JSON.stringify(manifest, null, 2)}\n`,
    "tsconfig.json": typescriptSettings,
    ".gitignore": ".dari/\n.env\nnode_modules/\n",
  };
}

function pythonFiles(name: string, kind: InitKind, apiUrl: string): Files {
  const { agent, packages } =
    kind === "function" || kind === "pi" || kind === "opencode"
      ? { agent: functionInPython, packages: "" }
      : { agent: sdkInPython[kind], packages: sdkPackages.python[kind] };
  const isFunction = kind === "function";
  return {
    "dari.yml": manifestText(name, kind, "agent.py:agent"),
    "agent.py": agent,
    "test_agent.py": isFunction ? functionTestInPython : sdkTestInPython,
    "requirements.txt": `# Packages that the agent imports. The platform provides dari_agent.\n${packages}`,
    ...(isFunction ? { "requirements-dev.txt": developmentRequirements(apiUrl) } : {}),
    ".gitignore": ".dari/\n.env\n.venv/\n__pycache__/\n",
  };
}

function developmentRequirements(apiUrl: string): string {
  const about = "# For your editor and tests: pip install -r requirements-dev.txt";
  return `${about}\n-r requirements.txt\n${apiUrl}/packages/dari_agent-${dariRelease}-py3-none-any.whl\n`;
}

/** JSON strings are valid YAML. */
function manifestText(name: string, kind: InitKind, entrypoint: string): string {
  const secrets =
    kind === "function"
      ? "secrets: [] # names, such as [API_KEY]; store each value with: dari credentials add API_KEY"
      : `secrets: [${sdkSecrets[kind]}] # store its value with: dari credentials add ${sdkSecrets[kind]}`;
  return `name: ${JSON.stringify(name)}
${kind === "function" ? "" : `sdk: ${kind}\n`}entrypoint: ${entrypoint}
${secrets}
runtime:
  timeout_seconds: 600
retries:
  max_attempts: 2
`;
}

/** Returns a name that npm accepts. */
function packageName(name: string): string {
  const allowed = name.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-");
  return allowed.replace(/^[._-]+/, "").slice(0, 200) || "agent";
}

const typescriptSettings = `{
  "compilerOptions": {
    "target": "es2023",
    "module": "nodenext",
    "strict": true,
    "noEmit": true,
    "skipLibCheck": true,
    "allowImportingTsExtensions": true,
    "erasableSyntaxOnly": true,
    "types": ["node"]
  },
  "include": ["src", "test"]
}
`;

const sdkTestInTypescript = `import assert from "node:assert/strict";
import { test } from "node:test";
import { agent } from "../src/agent.ts";

test("the agent can be imported without a key", () => {
  assert.equal(typeof agent, "object");
});
`;

const sdkTestInPython = `import unittest

from agent import agent


class AgentTest(unittest.TestCase):
    def test_the_agent_can_be_imported_without_a_key(self):
        self.assertIsNotNone(agent)


if __name__ == "__main__":
    unittest.main()
`;
