// The kinds of agents that `dari init` can write, and how one is chosen.

import { invalid } from "../exit.ts";

export const initLanguages = ["typescript", "python"] as const;
export type InitLanguage = (typeof initLanguages)[number];

export const initKinds = ["function", "openai-agents", "claude-agent-sdk", "pi", "opencode"] as const;
export type InitKind = (typeof initKinds)[number];

const languagesOf: Readonly<Record<InitKind, readonly InitLanguage[]>> = {
  function: initLanguages,
  "openai-agents": initLanguages,
  "claude-agent-sdk": initLanguages,
  pi: ["typescript"],
  opencode: ["typescript"],
};

const about: Readonly<Record<InitKind, string>> = {
  function: "a function of your own; calls any model or framework",
  "openai-agents": "an Agent of the OpenAI Agents SDK",
  "claude-agent-sdk": "options of the Claude Agent SDK",
  pi: "a session of the pi coding agent",
  opencode: "an agent of OpenCode",
};

export interface InitChoice {
  readonly language: InitLanguage;
  readonly kind: InitKind;
}

export interface InitOptions {
  readonly language?: InitLanguage;
  readonly kind?: InitKind;
  readonly python?: boolean;
}

/**
 * Asks for what the options do not say. Without `ask`, the choice is a function in TypeScript.
 * @throws CliError (exit code 2) for a combination that does not exist, or an answer that is not one of the choices.
 */
export async function chooseAgent(
  options: InitOptions,
  ask?: (question: string) => Promise<string>,
): Promise<InitChoice> {
  const wanted = options.language ?? (options.python === true ? "python" : undefined);
  const kind = options.kind ?? (ask === undefined ? "function" : undefined);
  const language = wanted ?? (ask === undefined || kind === undefined ? undefined : onlyLanguage(kind));
  const chosenLanguage = language ?? (ask === undefined ? "typescript" : await pick(ask, "Language", initLanguages));
  const possible = initKinds.filter((one) => languagesOf[one].includes(chosenLanguage));
  const chosenKind = kind ?? (ask === undefined ? "function" : await pick(ask, "Kind of agent", possible, about));
  if (languagesOf[chosenKind].includes(chosenLanguage)) return { language: chosenLanguage, kind: chosenKind };
  throw invalid(`${chosenKind} agents are written in ${languagesOf[chosenKind].join(" or ")}, not ${chosenLanguage}`);
}

function onlyLanguage(kind: InitKind): InitLanguage | undefined {
  return languagesOf[kind].length === 1 ? languagesOf[kind][0] : undefined;
}

/** An empty answer picks the first choice. */
async function pick<T extends string>(
  ask: (question: string) => Promise<string>,
  title: string,
  choices: readonly T[],
  words?: Readonly<Record<T, string>>,
): Promise<T> {
  const lines = choices.map((choice, index) => {
    const explanation = words?.[choice];
    return `  ${index + 1}) ${choice}${explanation === undefined ? "" : `: ${explanation}`}`;
  });
  const answer = (await ask(`${[`${title}:`, ...lines].join("\n")}\nNumber or name [1]: `)).trim();
  const chosen = answer === "" ? choices[0] : (choices[Number(answer) - 1] ?? choices.find((one) => one === answer));
  if (chosen !== undefined) return chosen;
  throw invalid(`expected one of ${choices.join(", ")}, not ${JSON.stringify(answer)}; nothing was written`);
}
