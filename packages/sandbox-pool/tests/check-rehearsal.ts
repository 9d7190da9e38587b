// Loads an agent in a template, and looks at what its turns see of the rehearsal.

import { expect } from "@jest/globals";
import { hold, install, run, type HoldOptions } from "./node-template-fixture.ts";
import { nodeStart, pythonStart, type RehearsalCase } from "./rehearsal-cases.ts";

interface Seen {
  readonly seen: readonly string[];
  readonly made: readonly { readonly model: string; readonly reply: string }[];
  readonly before: object;
  readonly after: object;
  readonly context?: boolean;
}

/** Makes packages that replace the SDKs part of the image. */
export function installSdks(): void {
  install("programs/openai-node", "node_modules/@openai/agents");
  install("programs/openai-python", ".deps");
}

export async function checkRehearsal({ title, code, why, env }: RehearsalCase, o: HoldOptions): Promise<void> {
  const isPython = o.python !== undefined;
  const held = await hold(`${isPython ? pythonStart : nodeStart}\n${code}\n`, { ...o, env });
  expect(held).toMatchObject({ why: undefined, notRehearsed: why });
  for (let i = 0; i < 2; i += 1) {
    const { answer, ending } = await run(held, "");
    expect(ending).toMatchObject({ kind: "completed" });
    const { seen, made, before, after, context } = answer as Seen;
    // A turn imports modules and calls functions itself.
    const own = title.includes("tracer") || title.includes("finder") ? expect.anything() : [];
    expect(seen).toEqual(own);
    const calls = ["function_call", "message"].map((reply) => ({ model: "none", reply }));
    expect(made).toEqual(why === undefined ? [...calls, ...calls] : []);
    if (why === undefined || why === "late" || why === "failed") expect(after).toEqual(before);
    if (why === undefined) expect(context).not.toBe(true);
  }
  await held.template.kill();
}
