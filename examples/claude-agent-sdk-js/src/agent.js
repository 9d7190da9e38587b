/** Options of the SDK's `query`. The session, the working directory and the prompt come from the platform. */
export const agent = {
  model: "claude-sonnet-4-5",
  systemPrompt: [
    "You write short reports about the files that people send you.",
    "Write each report as report.md in the working directory, and answer with a summary of two sentences.",
  ].join("\n"),
  // What is not listed here is refused: nobody is there to be asked.
  allowedTools: ["Read", "Write", "Edit", "Glob", "Grep"],
  settingSources: [],
  maxTurns: 20,
};
