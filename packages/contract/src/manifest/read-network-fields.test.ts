// Tests the rules of `models` and `egress: models-only` by the exact words that a person reads.

import { expect, test } from "@jest/globals";
import { compareManifests } from "./compare-manifests.ts";
import type { Manifest } from "./manifest.ts";
import { formatManifestIssues, parseManifest } from "./parse-manifest.ts";

const base = "name: demo\nentrypoint: src/agent.ts:agent\n";
type Refused = [title: string, text: string, issues: string[]];

test.each<Refused>([
  [
    "models-only in a list",
    `${base}egress: [models-only]`,
    ["egress[0]: expected a host; write 'egress: models-only' without a list"],
  ],
  [
    "models-only without any model",
    `${base}egress: models-only`,
    ["egress: without 'models' and 'secrets', this allows no host; name a model's host, or write []"],
  ],
  ["models that are no list", `${base}models: {host: a}`, ["models: expected a list of hosts with their formats"]],
  ["a model that is a text", `${base}models: [a.example]`, ["models[0]: expected a mapping"]],
  [
    "models without fields",
    `${base}models: [{}]`,
    ["models[0].host: field is required", "models[0].format: field is required"],
  ],
  [
    "models with wrong fields",
    `${base}models: [{host: '*.a.example', scheme: ftp, path: v1, format: openai, key: x}]`,
    [
      "models[0].key: unsupported field",
      "models[0].host: expected a host, as in llm.example.com, llm.example.com:8443 or 10.0.0.5:8000",
      "models[0].scheme: expected one of 'https', 'http'",
      "models[0].path: expected the path before the format's own, as in /v1; leave it out to allow any",
      "models[0].format: expected one of 'openai-responses', 'openai-chat', 'anthropic-messages', 'gemini'",
    ],
  ],
  ...["/v1/../admin", "/v1//x", "/v1?x", "/v%31", "/", "/.", `/${"x".repeat(200)}`].map((path): Refused => [
    `the path ${path} of a model`,
    `${base}models: [{host: a.example, path: '${path}', format: gemini}]`,
    ["models[0].path: expected the path before the format's own, as in /v1; leave it out to allow any"],
  ]),
  ...["localhost:11434", "ollama.localhost"].map((host): Refused => [
    `the host ${host}`,
    `${base}models: [{host: '${host}', scheme: http, format: gemini}]`,
    [
      "models[0].host: expected an address: write 127.0.0.1 in place of localhost; " +
        "the agent's own URLs can name either",
    ],
  ]),
  ...["10.0.5:8000", "010.0.0.5:8000", "0x7f.1:80", "999.1.1.1:80", "2130706433:80"].map((host): Refused => [
    `the address ${host}`,
    `${base}models: [{host: '${host}', scheme: http, format: gemini}]`,
    ["models[0].host: expected a host, as in llm.example.com, llm.example.com:8443 or 10.0.0.5:8000"],
  ]),
  [
    "an address with HTTPS",
    `${base}models: [{host: '10.0.0.5:8000', format: gemini}]`,
    ["models[0].scheme: expected 'http': the proxy reads HTTPS only to names, because certificates are for names"],
  ],
  [
    "models that repeat or contradict others",
    `${base}models: [{host: a.example, format: gemini}, {host: 'A.example:443', format: gemini},
      {host: 'a.example:443', scheme: http, format: gemini}]`,
    [
      "models[1]: the same host, path and format as in another entry",
      "models[2].scheme: expected 'https', as in the other entry of a.example:443",
    ],
  ],
  [
    "too many models",
    `${base}models: [${Array(21).fill("{host: a.example, format: gemini}").join(", ")}]`,
    ["models: expected at most 20 entries"],
  ],
])("%s", (_title, text, issues) => {
  const result = parseManifest(text);
  expect(result.ok ? [] : result.issues.map(({ path, message }) => `${path}: ${message}`)).toEqual(issues);
});

test("what is accepted is kept, and compared", () => {
  const models = parsed(
    `${base}models: [{host: LLM.example.com, path: /v1/, format: openai-chat},
      {host: 'a:80', scheme: http, format: gemini}]`,
  );
  expect(models.models).toEqual([
    { host: "llm.example.com", scheme: "https", path: "/v1", format: "openai-chat" },
    { host: "a:80", scheme: "http", format: "gemini" },
  ]);
  expect(compareManifests(models, parsed(base))).toEqual(["models"]);
  const onlyModels = parsed(`${base}secrets: [KEY]\negress: models-only`);
  expect(onlyModels.egress).toBe("models-only");
  expect(compareManifests(onlyModels, parsed(`${base}secrets: [KEY]`))).toEqual(["egress"]);
});

function parsed(text: string): Manifest {
  const result = parseManifest(text);
  if (!result.ok) throw new Error(formatManifestIssues("dari.yml", result.issues));
  return result.manifest;
}
