// Limits of calls of the Model Context Protocol.

export const mcpLimits = {
  /** Ids of requests and tokens of progress, which the client chooses and replies repeat. Characters. */
  idChars: 256,
  /** Members of all objects and lists of a request. An answer to an input has fewer. */
  values: 5_000,
  /** Agents that one address publishes as tools. */
  agents: 20,
  /** `description` in a manifest, which describes the agent's tool. Characters. */
  descriptionChars: 1_024,
} as const;
