// Tests every rule of dari.yml by the exact words that a person reads.

import { describe, expect, test } from "@jest/globals";
import { egressHostExpected, limits, mcpLimits } from "@dari/domain";
import type { Manifest } from "./manifest.ts";
import { normalizeManifest } from "./normalize-manifest.ts";
import { formatManifestIssues, parseManifest } from "./parse-manifest.ts";

const base = "name: demo\nsdk: openai-agents\nentrypoint: src/agent.ts:agent\n";
const sdkWords =
  "expected one of 'openai-agents', 'claude-agent-sdk', 'opencode', 'pi', 'function'; " +
  "agents of every other framework run as a function: export one that calls it, and leave out sdk";
const reference = "expected a '<module-or-path>:<export>' reference";
const inside = "expected a path inside the repository: not absolute, without '..'";
const askLanguage = "field is required if the entrypoint has no known suffix; expected one of 'python', 'typescript'";
const topLevel = "manifest: expected a top-level mapping";
const bothRequired = ["name: field is required", "entrypoint: field is required"];
const costExpected = "limits.cost_usd: expected a number of US dollars from 0.01 to 100000";
const secretList = "expected a list of secret names; secret values must not live in the manifest";
const quote = (version: string) =>
  `runtime.version: expected a non-empty string: quote the version, as in "${version}"`;
const names = (count: number) => Array.from({ length: count }, (_, index) => `NAME_${index}`);

function with_(entrypoint: string): string {
  return `name: demo\nsdk: pi\nentrypoint: ${JSON.stringify(entrypoint)}\n`;
}

const refused: [title: string, text: string, issues: string[]][] = [
  ["an empty text", "", bothRequired],
  ["only comments", "# later\n\n", bothRequired],
  ["an empty mapping", "{}", bothRequired],
  ["null", "null", [topLevel]],
  ["a tilde", "~", [topLevel]],
  ["a list", "- a", [topLevel]],
  ["a scalar", "demo", [topLevel]],
  ["a float", "3.11", [topLevel]],
  [
    "broken YAML",
    "name: [",
    ["manifest: invalid YAML: unexpected end of the stream within a flow collection (line 1, column 8)"],
  ],
  ["a duplicate key", `${base}name: again`, ["manifest: invalid YAML: duplicated mapping key (line 4, column 1)"]],
  [
    "a duplicate key below",
    `${base}env: {A: x, A: y}`,
    ["manifest: invalid YAML: duplicated mapping key (line 4, column 13)"],
  ],
  [
    "two documents",
    `${base}---\n${base}`,
    ["manifest: invalid YAML: expected a single document in the stream, but found more"],
  ],
  [
    "a foreign tag",
    `${base}env: !!js/function x`,
    ["manifest: invalid YAML: unknown scalar tag !<tag:yaml.org,2002:js/function> (line 4, column 6)"],
  ],
  [
    "too large a text",
    `${base}#${"x".repeat(limits.manifestBytes)}`,
    [`manifest: expected at most ${limits.manifestBytes} bytes`],
  ],
  [
    "unknown keys at every level",
    `${base}zeta: 1\nalpha: 1\nruntime: {memry: 1}\nretries: {delay: 1}`,
    [
      "alpha: unsupported field",
      "zeta: unsupported field",
      "runtime.memry: unsupported field; did you mean 'memory'?",
      "retries.delay: unsupported field",
    ],
  ],
  [
    "empty required fields",
    "name: ' '\nsdk: ''\nentrypoint: ' '",
    [
      "name: expected a non-empty string",
      "sdk: expected a non-empty string",
      "entrypoint: expected a non-empty string",
    ],
  ],
  [
    "misspelled fields, and fields of another level",
    `${base}runtme: {}\nlanguage: python\nretries: {attempts: 2}\nruntime: {timeout: 3, load_every: x, name: y}`,
    [
      "language: unsupported field; did you mean 'runtime.language'?",
      "runtme: unsupported field; did you mean 'runtime'?",
      "runtime.load_every: unsupported field; did you mean 'load'?",
      "runtime.name: unsupported field; did you mean 'name'?",
      "runtime.timeout: unsupported field; did you mean 'timeout_seconds'?",
      "retries.attempts: unsupported field; did you mean 'max_attempts'?",
    ],
  ],
  [
    "fields of another level, as they are nearly called",
    `${base}timeout: 3\nmax_concurency: 2\nattempts: 2\nkeep_days: 3\nschedule: x\ntools: []`,
    [
      "attempts: unsupported field; did you mean 'retries.max_attempts'?",
      "keep_days: unsupported field; did you mean 'retries.record_answers.keep_days'?",
      "max_concurency: unsupported field; did you mean 'runtime.max_concurrency'?",
      "schedule: unsupported field",
      "timeout: unsupported field; did you mean 'runtime.timeout_seconds'?",
      "tools: unsupported field",
    ],
  ],
  ["null required fields", "name:\nentrypoint: null", bothRequired],
  [
    "required fields of other types",
    "name: 1\nsdk: true\nentrypoint: [a]",
    [
      "name: expected a non-empty string",
      "sdk: expected a non-empty string",
      "entrypoint: expected a non-empty string",
    ],
  ],
  ["a long name", base.replace("demo", "x".repeat(201)), ["name: expected at most 200 characters"]],
  ["NUL in a name", base.replace("demo", '"a\\0b"'), ["name: expected a non-empty string"]],
  ["another SDK", base.replace("openai-agents", "langchain"), [`sdk: ${sdkWords}`]],
  ["no export", with_("agent.py"), [`entrypoint: ${reference}`]],
  ["a blank export", with_("agent.py: "), [`entrypoint: ${reference}`]],
  ["a blank module", with_(" :agent"), [`entrypoint: ${reference}`]],
  ["two colons", with_("a:b:c"), [`entrypoint: ${reference}`]],
  ["an absolute path", with_("/etc/agent.py:agent"), [`entrypoint: ${inside}`]],
  ["a path from home", with_("~/agent.py:agent"), [`entrypoint: ${inside}`]],
  ["a path above", with_("src/../../agent.py:agent"), [`entrypoint: ${inside}`]],
  ["a path above, the other way", with_("src\\..\\agent.py:agent"), [`entrypoint: ${inside}`]],
  ["no suffix and no language", with_("src.agent:agent"), [`runtime.language: ${askLanguage}`]],
  ["a runtime that is no mapping", `${base}runtime: node`, ["runtime: expected a mapping"]],
  ["a list for a runtime", `${base}runtime: [node]`, ["runtime: expected a mapping"]],
  [
    "another language",
    `${base}runtime: {language: ruby}`,
    ["runtime.language: expected one of 'python', 'typescript'"],
  ],
  ["an empty language", `${base}runtime: {language: ''}`, ["runtime.language: expected a non-empty string"]],
  ["a bare 3.11", `${base}runtime: {version: 3.11}`, [quote("3.11")]],
  ["a bare 3.10", `${base}runtime: {version: 3.10}`, [quote("3.10")]],
  ["a bare 20", `${base}runtime: {version: 20}`, [quote("20")]],
  ["an empty version", `${base}runtime: {version: ''}`, ["runtime.version: expected a non-empty string"]],
  ["a list of versions", `${base}runtime: {version: ['20']}`, ["runtime.version: expected a non-empty string"]],
  ...["0", "-1", "1.5", "60.0", "'60'", "true", ".inf", "1e3", "99999999999999999999", "[1]"].map(
    (value): [string, string, string[]] => [
      `a timeout of ${value}`,
      `${base}runtime: {timeout_seconds: ${value}}`,
      ["runtime.timeout_seconds: expected a positive integer"],
    ],
  ),
  [
    "a timeout beyond the limit",
    `${base}runtime: {timeout_seconds: 86401}`,
    ["runtime.timeout_seconds: expected at most 86400"],
  ],
  ...["1", "4GB", "100MiB", "0GiB", "1025GiB", "[1GiB]", "true", "1.5GiB"].map((value): [string, string, string[]] => [
    `a memory of ${value}`,
    `${base}runtime: {memory: ${value}}`,
    ["runtime.memory: expected an amount from 128 MiB to 1024 GiB, such as '512MiB' or '2GiB'"],
  ]),
  ...["0", "0.05", "-1", "4097", "'2'", ".nan"].map((value): [string, string, string[]] => [
    `${value} processors`,
    `${base}runtime: {cpus: ${value}}`,
    ["runtime.cpus: expected a number from 0.1 to 4096"],
  ]),
  [
    "too many turns at once",
    `${base}runtime: {max_concurrency: 10001}`,
    ["runtime.max_concurrency: expected at most 10000"],
  ],
  [
    "no turns at once",
    `${base}runtime: {max_concurrency: 0}`,
    ["runtime.max_concurrency: expected a positive integer"],
  ],
  ["an unknown reuse", `${base}runtime: {reuse: always}`, ["runtime.reuse: expected one of 'session'"]],
  [
    "an on_worker_lost that is no boolean",
    `${base}retries: {on_worker_lost: twice}`,
    ["retries.on_worker_lost: expected true or false"],
  ],
  [
    "a record_answers that is no boolean",
    `${base}retries: {record_answers: 1}`,
    ["retries.record_answers: expected true, false or {keep_days: <days>}"],
  ],
  [
    "answers kept for too long",
    `${base}retries: {record_answers: {keep_days: 31}}`,
    ["retries.record_answers.keep_days: expected at most 30"],
  ],
  [
    "answers kept for an unknown time",
    `${base}retries: {record_answers: {days: 1}}`,
    [
      "retries.record_answers.days: unsupported field; did you mean 'retries.record_answers.keep_days'?",
      "retries.record_answers.keep_days: field is required",
    ],
  ],
  ["an unknown load", `${base}runtime: {load: once}`, ["runtime.load: expected one of 'every_turn'"]],
  ["a reuse that is no text", `${base}runtime: {reuse: true}`, ["runtime.reuse: expected a non-empty string"]],
  ["retries that are no mapping", `${base}retries: 3`, ["retries: expected a mapping"]],
  ["no attempts", `${base}retries: {max_attempts: 0}`, ["retries.max_attempts: expected a positive integer"]],
  ["no turns of a run", `${base}run: {max_turns: 0}`, ["run.max_turns: expected a positive integer"]],
  ["too many turns of a run", `${base}run: {max_turns: 10001}`, ["run.max_turns: expected at most 10000"]],
  [
    "a run's option at the root",
    `${base}max_turns: 5`,
    ["max_turns: unsupported field; did you mean 'run.max_turns'?"],
  ],
  [
    "turns of a run that the SDK's own options limit",
    "name: a\nentrypoint: a.ts:a\nsdk: pi\nrun: {max_turns: 5}",
    ["run.max_turns: pi does not read it: set the limit in what the entrypoint exports"],
  ],
  ["limits that are no mapping", `${base}limits: 3`, ["limits: expected a mapping"]],
  ["no requests", `${base}limits: {requests: 0}`, ["limits.requests: expected a positive integer"]],
  ["too many requests", `${base}limits: {requests: 10001}`, ["limits.requests: expected at most 10000"]],
  ["too many tokens", `${base}limits: {tokens: 1000000000001}`, ["limits.tokens: expected at most 1000000000000"]],
  ["too low a cost", `${base}limits: {cost_usd: 0.009}`, [costExpected]],
  ["too high a cost", `${base}limits: {cost_usd: 100000.01}`, [costExpected]],
  ["a cost that is no number", `${base}limits: {cost_usd: .nan}`, [costExpected]],
  ["a cost as a text", `${base}limits: {cost_usd: "1"}`, [costExpected]],
  ["an unknown limit", `${base}limits: {cost: 1}`, ["limits.cost: unsupported field; did you mean 'cost_usd'?"]],
  ["an unknown at_limit", `${base}limits: {at_limit: wait}`, ["limits.at_limit: expected one of 'stop', 'ask'"]],
  [
    "an at_limit that would pay twice",
    `${base}limits: {requests: 1, at_limit: ask}`,
    [
      "limits.at_limit: 'ask' needs retries.record_answers: after the answer the turn runs again from its " +
        "start, and would pay for all requests again",
    ],
  ],
  ["too many attempts", `${base}retries: {max_attempts: 101}`, ["retries.max_attempts: expected at most 100"]],
  ["secrets with values", `${base}secrets: {KEY: value}`, [`secrets: ${secretList}`]],
  [
    "a secret that is no name",
    `${base}secrets: ['', 1, lower, A-B, A, ' A ']`,
    [
      "secrets[0]: expected a non-empty secret name",
      "secrets[1]: expected a non-empty secret name",
      "secrets[2]: expected a secret name matching ^[A-Z_][A-Z0-9_]*$",
      "secrets[3]: expected a secret name matching ^[A-Z_][A-Z0-9_]*$",
      "secrets[5]: duplicate secret name 'A'",
    ],
  ],
  ["an empty description", `${base}description: ''`, ["description: expected a non-empty string"]],
  [
    "a long description",
    `${base}description: ${"x".repeat(mcpLimits.descriptionChars + 1)}`,
    [`description: expected at most ${mcpLimits.descriptionChars} characters`],
  ],
  ["hosts that are a text", `${base}egress: api.example.com`, ["egress: expected a list of hosts, or 'models-only'"]],
  [
    "hosts that are none",
    `${base}egress: ['https://a.example', 'a:0', 1, '*', a.example, A.example]`,
    [
      ...[0, 1, 2, 3].map((at) => `egress[${at}]: expected ${egressHostExpected}`),
      "egress[5]: duplicate host 'a.example'",
    ],
  ],
  ["too many secrets", `${base}secrets: [${names(257).join(", ")}]`, ["secrets: expected at most 100 names"]],
  ["an env that is a list", `${base}env: [A]`, ["env: expected a mapping of string values"]],
  [
    "env values and names",
    `${base}env: {A: 1, B: true, C: 3.1, d: x, '': x}`,
    [
      "env.A: expected a string value",
      "env.B: expected a string value",
      "env.C: expected a string value",
      "env.d: expected an environment variable name matching ^[A-Z_][A-Z0-9_]*$",
      "env.: expected a non-empty environment variable name",
    ],
  ],
  [
    "an overlap",
    `${base}secrets: [B, A, C]\nenv: {A: x, B: y}`,
    ["secrets: secret names must not overlap env keys: A, B"],
  ],
  [
    "everything at once",
    "name: ''\nsdk: x\nentrypoint: x\nruntime: {timeout_seconds: 0}\nsecrets: ['']\nextra: 1",
    [
      "extra: unsupported field",
      "name: expected a non-empty string",
      `sdk: ${sdkWords}`,
      `entrypoint: ${reference}`,
      "runtime.timeout_seconds: expected a positive integer",
      "secrets[0]: expected a non-empty secret name",
    ],
  ],
];

describe("a manifest that is refused", () => {
  test.each(refused)("%s", (_title, text, issues) => {
    const result = parseManifest(text);
    expect(result.ok ? [] : result.issues.map(({ path, message }) => `${path}: ${message}`)).toEqual(issues);
  });

  test("is reported in the form of the contract", () => {
    const result = parseManifest(`${base}runtime: {timeout_seconds: 0}\nsecrets: ['']`);
    expect(formatManifestIssues("/repo/dari.yml", result.ok ? [] : result.issues)).toBe(
      "Manifest validation failed for /repo/dari.yml:\n" +
        "- runtime.timeout_seconds: expected a positive integer\n" +
        "- secrets[0]: expected a non-empty secret name",
    );
  });
});

describe("a manifest that is accepted", () => {
  test("has every default filled in", () => {
    expect(parsed(base)).toEqual({
      name: "demo",
      sdk: "openai-agents",
      entrypoint: "src/agent.ts:agent",
      runtime: { language: "typescript", timeout_seconds: 1800 },
      retries: { max_attempts: 1, on_worker_lost: true },
      secrets: [],
      env: {},
    });
  });

  test.each(["", "sdk:\n", "sdk: ~\n", "sdk: function\n"])("is a function with %j", (line) => {
    expect(parsed(`name: demo\n${line}entrypoint: agent.py:agent`).sdk).toBe("function");
  });

  test("keeps what it says", () => {
    const text = `
name: "  demo "
sdk: claude-agent-sdk
entrypoint: " agent.py : agent "
runtime: {language: python, version: "3.11", timeout_seconds: 60, memory: 512 MiB, cpus: 1.5,
  max_concurrency: 4, reuse: session, load: every_turn}
retries: {max_attempts: 3, on_worker_lost: false, record_answers: true}
secrets: [OPENAI_API_KEY, _X1]
env: {MODE: " kept ", FLAG: yes}
`;
    expect(parsed(text)).toEqual({
      name: "demo",
      sdk: "claude-agent-sdk",
      entrypoint: "agent.py:agent",
      runtime: {
        language: "python",
        version: "3.11",
        timeout_seconds: 60,
        memory: "512MiB",
        cpus: 1.5,
        max_concurrency: 4,
        reuse: "session",
        load: "every_turn",
      },
      retries: { max_attempts: 3, on_worker_lost: false, record_answers: true },
      secrets: ["OPENAI_API_KEY", "_X1"],
      env: { MODE: " kept ", FLAG: "yes" },
    });
  });

  test("reads null as absent", () => {
    expect(parsed(`${base}runtime:\nretries: ~\nsecrets:\nenv: null`)).toEqual(parsed(base));
    expect(
      parsed(
        `${base}runtime: {language: ~, version: ~, timeout_seconds: ~}\nretries: {max_attempts: ~, record_answers: ~}`,
      ),
    ).toEqual(parsed(base));
  });

  test.each([
    ["agent.py", "python"],
    ["src/agent.ts", "typescript"],
    ["src/agent.mts", "typescript"],
    ["src/agent.cts", "typescript"],
    ["src/agent.js", "typescript"],
    ["src/agent.mjs", "typescript"],
    ["src/agent.cjs", "typescript"],
  ])("%s is %s", (file, language) => {
    expect(parsed(with_(`${file}:agent`)).runtime.language).toBe(language);
  });

  test("a module without suffix has the language it names", () => {
    expect(parsed(`${with_("src.agent:agent")}runtime: {language: python}`).runtime.language).toBe("python");
  });

  test("is the same as data and as text", () => {
    const data: unknown = { name: "demo", sdk: "openai-agents", entrypoint: "src/agent.ts:agent", env: { A: "x" } };
    expect(normalizeManifest(data)).toEqual(parseManifest(`${base}env: {A: x}`));
  });
});

function parsed(text: string): Manifest {
  const result = parseManifest(text);
  if (!result.ok) throw new Error(formatManifestIssues("dari.yml", result.issues));
  return result.manifest;
}
