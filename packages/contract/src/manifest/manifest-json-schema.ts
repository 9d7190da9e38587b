// The JSON Schema of dari.yml for editors: completion and hints. normalize-manifest.ts has the rules that apply.

import {
  agentNamePattern,
  declaredModelLimits,
  egressHostPattern,
  limits,
  mcpLimits,
  memorySizePattern,
  modelFormats,
  modelRequestLimits,
  modelSchemes,
  recordingDaysMax,
} from "@dari/domain";
import { languages, modelsOnly, sdks } from "./manifest.ts";

const environmentName = "^[A-Z_][A-Z0-9_]*$";

export const manifestJsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "dari.yml",
  description: "The manifest of an agent, at the root of its repository.",
  type: "object",
  additionalProperties: false,
  required: ["name", "entrypoint"],
  properties: {
    name: {
      type: "string",
      maxLength: limits.nameChars,
      pattern: agentNamePattern,
      description: "The agent's name, unique in its organization.",
    },
    description: {
      type: "string",
      minLength: 1,
      maxLength: mcpLimits.descriptionChars,
      description: "What the agent does, for models that choose between agents: the description of its MCP tool.",
    },
    sdk: {
      enum: sdks,
      default: "function",
      description:
        "How the export is run. Leave it out for a plain function, whatever framework it uses. An exported `Agent` " +
        "or options object needs the name of its SDK.",
    },
    entrypoint: {
      type: "string",
      pattern: "^[^:]*[^:\\s][^:]*:[^:]*[^:\\s][^:]*$",
      description: "What to run, as <module-or-path>:<export>.",
      examples: ["src/agent.ts:agent", "agent.py:agent"],
    },
    runtime: {
      type: "object",
      additionalProperties: false,
      properties: {
        language: { enum: languages, description: "Default: from the entrypoint's file name." },
        version: {
          type: "string",
          minLength: 1,
          description: "Version of the language, as a quoted string.",
          examples: ["22", "3.11"],
        },
        timeout_seconds: {
          type: "integer",
          minimum: 1,
          maximum: limits.turnTimeoutSecondsMax,
          default: limits.turnTimeoutSecondsDefault,
          description: "Time limit of one attempt of a message, in seconds.",
        },
        memory: {
          type: "string",
          pattern: memorySizePattern,
          description: "Memory limit of a turn, up to what the platform allows. Default: the platform's.",
          examples: ["512MiB", "2GiB"],
        },
        cpus: {
          type: "number",
          minimum: limits.turnCpusMin,
          maximum: limits.turnCpusMax,
          description:
            "Maximum number of processors of a turn, up to what the platform allows. Default: the platform's.",
          examples: [0.5, 2],
        },
        max_concurrency: {
          type: "integer",
          minimum: 1,
          maximum: limits.maxConcurrencyMax,
          description:
            "Maximum number of concurrent turns of the agent. The active version's value applies to all sessions. " +
            "Default: no limit.",
        },
        reuse: {
          enum: ["session"],
          description:
            "`session` lets one process serve several turns of a session, one after the other. Default: one process " +
            "per turn.",
        },
        load: {
          enum: ["every_turn"],
          description:
            "`every_turn` imports the agent on every turn, for libraries that do not survive `fork`. Default: an " +
            "agent is imported once and forked for each turn.",
        },
      },
    },
    retries: {
      type: "object",
      additionalProperties: false,
      properties: {
        max_attempts: {
          type: "integer",
          minimum: 1,
          maximum: limits.maxAttemptsMax,
          default: 1,
          description: "Maximum number of attempts of a message, not counting the one that `on_worker_lost` adds.",
        },
        on_worker_lost: {
          type: "boolean",
          default: true,
          description:
            "Whether the first attempt that loses its worker is added to `max_attempts`, so that the turn is run " +
            "again. The lost worker may have called other services before. `false`: it counts like any other " +
            "attempt; with `max_attempts: 1` the turn fails.",
        },
        record_answers: {
          default: false,
          description:
            "Whether answers of models are recorded while their message is open, so that the attempt after a lost " +
            "worker gets them again instead of paying for them again. With `keep_days`, those of a completed message " +
            "are also kept for so many days, so that its turn can be replayed.",
          oneOf: [
            { type: "boolean" },
            {
              type: "object",
              additionalProperties: false,
              required: ["keep_days"],
              properties: {
                keep_days: {
                  type: "integer",
                  minimum: 1,
                  maximum: recordingDaysMax,
                  description: "How long they are kept after the message has completed, in days.",
                },
              },
            },
          ],
        },
      },
    },
    run: {
      type: "object",
      additionalProperties: false,
      properties: {
        max_turns: {
          type: "integer",
          minimum: 1,
          maximum: modelRequestLimits.perRunMax,
          default: modelRequestLimits.perRunDefault,
          description:
            "Maximum number of requests to models in one run of the agent, not counting runs that its tools start. " +
            "For an exported or returned `Agent` of openai-agents. Other SDKs have such options in what is exported.",
        },
      },
      description: "Options of the SDK's run that an exported agent cannot contain.",
    },
    limits: {
      type: "object",
      additionalProperties: false,
      properties: {
        requests: {
          type: "integer",
          minimum: 1,
          maximum: modelRequestLimits.requestsPerMessageMax,
          description:
            "Maximum number of requests to models of one message, in all of its attempts. Default: no limit.",
        },
        tokens: {
          type: "integer",
          minimum: 1,
          maximum: modelRequestLimits.tokensPerMessageMax,
          description:
            "Maximum number of tokens of these requests, input and output together. What a request can use is " +
            "reserved before it goes out. Default: no limit.",
        },
        cost_usd: {
          type: "number",
          minimum: modelRequestLimits.usdPerMessageMin,
          maximum: modelRequestLimits.usdPerMessageMax,
          description:
            "Maximum cost of these requests in US dollars, by the operators' price list. What a request can cost is " +
            "reserved before it goes out. A request that names a model without a price is refused. Default: no limit.",
        },
        at_limit: {
          enum: ["stop", "ask"],
          default: "stop",
          description:
            "What a message does at its limit. `stop`: it fails with `budget_exceeded`. `ask`: it waits for an input " +
            "that raises the limit, and its turn runs again from the start with the recorded answers. Requires " +
            "`retries.record_answers`.",
        },
      },
      description: "Limits of each message, for requests that the platform meters.",
    },
    secrets: {
      type: "array",
      uniqueItems: true,
      maxItems: limits.agentSecretsMax,
      items: { type: "string", pattern: environmentName },
      description: "Names of credentials that the agent gets as environment variables. Do not put values here.",
    },
    env: {
      type: "object",
      maxProperties: limits.environmentNamesMax,
      propertyNames: { pattern: environmentName },
      additionalProperties: { type: "string" },
      description: "Environment variables that are not secret.",
    },
    egress: {
      oneOf: [
        {
          type: "array",
          uniqueItems: true,
          maxItems: limits.egressHostsMax,
          items: { type: "string", pattern: egressHostPattern },
        },
        { const: modelsOnly },
      ],
      description:
        "Hosts that the agent may connect to, within what its organization allows. [] allows none. `models-only` " +
        "allows those of `models`, and the known hosts of models that a kept credential names. Default: all.",
      examples: [["api.openai.com", "*.example.com", "example.com:8443"], modelsOnly],
    },
    models: {
      type: "array",
      maxItems: declaredModelLimits.entries,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["host", "format"],
        properties: {
          host: {
            type: "string",
            pattern: egressHostPattern.replace("(\\*\\.)?", ""),
            description: "A name or an IPv4 address. The port is 443, or 80 with `scheme: http`, if it has none.",
            examples: ["llm.example.com", "llm.example.com:8443", "10.0.0.5:8000"],
          },
          scheme: { enum: modelSchemes, default: "https", description: "Addresses need `http`." },
          path: {
            type: "string",
            maxLength: declaredModelLimits.pathChars,
            pattern: "^(/[A-Za-z0-9_.~-]+)+/?$",
            description: "What precedes the format's own path. Default: anything.",
            examples: ["/v1"],
          },
          format: { enum: modelFormats, description: "How requests and answers are written." },
        },
      },
      description:
        "Hosts of models besides those that the platform knows. Requests to them are metered, limited and recorded " +
        "as to known hosts, with or without a kept credential.",
    },
  },
} as const;
