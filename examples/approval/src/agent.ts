// Pays refunds, and asks a person before each refund above a limit. It needs no model: replace `readRequest` with a
// call of a model. While the message waits for the decision, it uses no worker. When the decision comes, the agent runs
// again from its start, and `requestInput` returns the decision. The payment is a step: if the worker is lost after it,
// the next attempt gets the receipt without paying again.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The second argument that the platform passes, after the prompt. It has more fields than are used here. */
interface Context {
  /** The session's directory. Files written there are saved with the turn. */
  readonly workspace: string;
  /** `operationKey` is the same in every run, so a payment service can recognize a second call. */
  step<Result>(name: string, run: (operationKey: string) => Promise<Result>): Promise<Result>;
  requestInput(key: string, schema: object, options?: { prompt?: string; expiresInSeconds?: number }): Promise<unknown>;
}

interface Decision {
  readonly approved: boolean;
  readonly note?: string;
}

/** The schema of an answer. The platform refuses answers that do not match. */
const decisionSchema = {
  type: "object",
  properties: { approved: { type: "boolean" }, note: { type: "string", maxLength: 500 } },
  required: ["approved"],
  additionalProperties: false,
};

const limitEuros = 50;
const oneDay = 86_400;

function readRequest(prompt: string): { readonly order: string; readonly euros: number } | undefined {
  const found = /refund (\d+(?:\.\d\d)?) (?:euros?|eur) (?:for|of) order (\S+)/i.exec(prompt);
  return found === null ? undefined : { euros: Number(found[1]), order: found[2] ?? "" };
}

export async function agent(prompt: string, context: Context): Promise<string> {
  const request = readRequest(prompt);
  if (request === undefined) return "Say: refund 20 euros for order 1842-A";
  const { order, euros } = request;
  if (euros > limitEuros) {
    const decision = (await context.requestInput("approve-refund", decisionSchema, {
      prompt: `Refund ${euros.toFixed(2)} EUR for order ${order}?`,
      expiresInSeconds: oneDay,
    })) as Decision;
    if (!decision.approved) return `Not refunded${decision.note === undefined ? "" : `: ${decision.note}`}`;
  }
  const receipt = await context.step("refund", (operationKey) => pay(order, euros, operationKey));
  // A lost worker's files are gone, so the step returns the receipt and does not write it.
  await mkdir(join(context.workspace, "output"), { recursive: true });
  await writeFile(join(context.workspace, "output", "receipt.json"), `${JSON.stringify(receipt, null, 2)}\n`);
  return `Refunded ${euros.toFixed(2)} EUR for order ${order}. The receipt is in output/receipt.json.`;
}

interface Receipt {
  readonly order: string;
  readonly euros: number;
  readonly idempotency_key: string;
}

/** Takes the place of a payment service's call. The service gets the key, so that it pays only once. */
function pay(order: string, euros: number, idempotency_key: string): Promise<Receipt> {
  return Promise.resolve({ order, euros, idempotency_key });
}
