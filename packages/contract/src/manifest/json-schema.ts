// The JSON Schema of dari.yml for editors: completion and hints. The rules that decide are in normalize.ts.

import { egressHostPattern, limits } from "@dari/domain";
import { languages, sdks } from "./manifest.ts";

const environmentName = "^[A-Z_][A-Z0-9_]*$";

export const manifestJsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "dari.yml",
  description: "The manifest of an agent, at the root of its repository.",
  type: "object",
  additionalProperties: false,
  required: ["name", "sdk", "entrypoint"],
  properties: {
    name: { type: "string", minLength: 1, maxLength: limits.nameChars, description: "The agent's name." },
    sdk: { enum: sdks, description: "What runs the export. Functions of every framework run as `function`." },
    entrypoint: {
      type: "string",
      pattern: "^[^:]*[^:\\s][^:]*:[^:]*[^:\\s][^:]*$",
      description: "What to run: <module-or-path>:<export>.",
      examples: ["src/agent.ts:agent", "agent.py:agent"],
    },
    runtime: {
      type: "object",
      additionalProperties: false,
      properties: {
        language: { enum: languages, description: "From the entrypoint's suffix when absent." },
        version: { type: "string", minLength: 1, description: "Quoted.", examples: ["22", "3.11"] },
        timeout_seconds: {
          type: "integer",
          minimum: 1,
          maximum: limits.turnTimeoutSecondsMax,
          default: limits.turnTimeoutSecondsDefault,
          description: "How long one execution of a message may take.",
        },
        max_concurrency: {
          type: "integer",
          minimum: 1,
          maximum: limits.maxConcurrencyMax,
          description: "The most turns of the agent at once. The active version's value counts for all sessions.",
        },
        reuse: { enum: ["session"], description: "One process may serve several turns of a session, one by one." },
        load: {
          enum: ["every_turn"],
          description:
            "Each turn loads the code itself; without it a Python agent is loaded once and copied for each turn.",
        },
      },
    },
    retries: {
      type: "object",
      additionalProperties: false,
      properties: {
        max_attempts: { type: "integer", minimum: 1, maximum: limits.maxAttemptsMax, default: 1 },
      },
    },
    secrets: {
      type: "array",
      uniqueItems: true,
      maxItems: limits.agentSecretsMax,
      items: { type: "string", pattern: environmentName },
      description: "Names of credentials that become environment variables. Values never belong here.",
    },
    env: {
      type: "object",
      maxProperties: limits.environmentNamesMax,
      propertyNames: { pattern: environmentName },
      additionalProperties: { type: "string" },
      description: "Environment variables that are no secrets.",
    },
    egress: {
      type: "array",
      uniqueItems: true,
      maxItems: limits.egressHostsMax,
      items: { type: "string", pattern: egressHostPattern },
      description: "The only hosts that the agent reaches, of those that the organization may; none: [].",
      examples: [["api.openai.com", "*.example.com", "example.com:8443"]],
    },
  },
} as const;
