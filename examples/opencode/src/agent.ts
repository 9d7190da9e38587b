// An agent for the OpenCode server, which the platform starts in the same sandbox.

const baseURL = process.env["OPENAI_BASE_URL"];

/** It can also have other keys of OpenCode's configuration, such as `permission`. */
export const agent = {
  name: "code-reader",
  instructions: "You explain the code in the working directory. You write notes.md when asked for notes.",
  model: "openai/gpt-4.1",
  ...(baseURL === undefined ? {} : { provider: { openai: { options: { baseURL } } } }),
};
