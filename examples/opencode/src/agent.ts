// An agent of the OpenCode server, which the platform starts beside it.

const baseURL = process.env["OPENAI_BASE_URL"];

/** An agent of the OpenCode server; other keys, such as `permission`, are those of its configuration. */
export const agent = {
  name: "code-reader",
  instructions: "You explain the code in the working directory. You write notes.md when asked for notes.",
  model: "openai/gpt-4.1",
  ...(baseURL === undefined ? {} : { provider: { openai: { options: { baseURL } } } }),
};
