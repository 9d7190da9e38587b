/** Options of the SDK's `query`. The platform adds the session, the working directory and the prompt. */
export const agent = {
  model: "claude-sonnet-4-5",
  systemPrompt: [
    "You write short reports about the files that people send you.",
    "Write each report as report.md in the working directory, and answer with a summary of two sentences.",
  ].join("\n"),
  // The SDK refuses all other tools, because there is no user to ask for permission.
  allowedTools: ["Read", "Write", "Edit", "Glob", "Grep"],
  settingSources: [],
  maxTurns: 20,
};
