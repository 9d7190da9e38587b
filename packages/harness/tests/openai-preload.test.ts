// What a Python template loads of openai-agents once its agent is loaded, with packages that replace the SDK.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findRuntimes } from "./guest-fixture.ts";

const python = findRuntimes().find(({ language }) => language === "python")!;
const guestDir = fileURLToPath(new URL("../guest/python", import.meta.url));
const packages = mkdtempSync(join(tmpdir(), "openai-preload-"));
const modules = {
  "agents/models/openai_responses.py": "",
  "litellm.py": "",
  "openai/_models.py": "parsed = []\ndef construct_type(*, value, type_):\n    parsed.append((type_, value['type']))\n",
  "openai/resources/responses/__init__.py": "",
  "openai/types/responses.py": "ResponseStreamEvent = 'event'\n",
  "httpcore2/_async/http11.py": "raise SyntaxError('not for this Python')\n",
  "truststore.py": "",
};
const report = `
from openai import _models
import json
loaded = [name for name in ("openai.resources.responses", "truststore") if name in sys.modules]
print(json.dumps({"loaded": loaded, "parsed": _models.parsed}))
`;

beforeAll(() => {
  for (const [file, text] of Object.entries(modules)) {
    mkdirSync(join(packages, dirname(file)), { recursive: true });
    writeFileSync(join(packages, file), text);
  }
});
afterAll(() => rmSync(packages, { recursive: true }));

const load = "from _dari_harness.sdk.openai_preload import preload_openai\npreload_openai()";

function runPython(...parts: readonly string[]): string {
  const env = { PYTHONPATH: `${packages}:${guestDir}`, PYTHONDONTWRITEBYTECODE: "1" };
  return execFileSync(python.interpreter, ["-c", ["import sys", ...parts].join("\n")], { env, encoding: "utf8" });
}

/** Returns what is loaded and parsed after the agent's code. */
const preload = (code: string): unknown => JSON.parse(runPython(code, load, report));

const usesSdk = "import agents.models.openai_responses";

test("a template with the SDK loads the client's modules and types", () => {
  const loaded = ["openai.resources.responses", "truststore"];
  expect(preload(usesSdk)).toEqual({ loaded, parsed: [["event", "response.completed"]] });
});

test.each([
  ["without the SDK", "import openai._models"],
  ["whose models are LiteLLM's", `${usesSdk}\nimport litellm`],
])("an agent %s loads nothing", (_title, code) => {
  expect(preload(code)).toEqual({ loaded: [], parsed: [] });
});

const note = "lambda *_, **given: _models.parsed.append('called')";

test.each([
  ["a function", note],
  ["a function with its metadata", `functools.wraps(_models.construct_type)(${note})`],
  ["an object with its code", `type("", (), {"__code__": _models.construct_type.__code__, "__call__": ${note}})()`],
])("an agent's replacement of the client's parser by %s is not called", (_title, replacement) => {
  const code = `${usesSdk}\nimport functools\nfrom openai import _models\n_models.construct_type = ${replacement}`;
  expect(preload(code)).toMatchObject({ parsed: [] });
});

test("an agent with a package openai of its own is not disturbed", () => {
  const code = `${usesSdk}\nimport types\nsys.modules["openai"] = types.ModuleType("openai")`;
  expect(runPython(code, load, "print('loaded')")).toBe("loaded\n");
});
