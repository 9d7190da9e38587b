// Every agent of docs/write-an-agent.md, deployed to a real fleet without installing anything.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findService, startOpenaiServer, waitUntil, type ModelServer } from "@dari/testkit";
import { pageCases, pageModelAnswer, readPageAgents } from "@dari/testkit/page-agents";
import { deploy, ended, manifestFile, textPart, uploadText } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";

let fleet: Fleet;
let model: ModelServer;

beforeAll(async () => {
  model = await startOpenaiServer(() => ({ text: pageModelAnswer }));
  fleet = await startFleet({
    redisUrl: findService("redis")?.url,
    env: { DARI_EGRESS_ALLOW: new URL(model.url).host },
  });
  await fleet.client.putCredential("OPENAI_API_KEY", { value: "sk-page" });
}, 120_000);

afterAll(async () => {
  await model[Symbol.asyncDispose]();
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

test.each(readPageAgents())("$title, in $language", async ({ title, language, source }) => {
  const given = pageCases[title]!;
  const file = language === "python" ? "agent.py" : "src/agent.ts";
  const usesModel = source.includes("OPENAI_API_KEY");
  const model_ = usesModel ? { secrets: ["OPENAI_API_KEY"], env: { OPENAI_BASE_URL: `${model.url}/v1` } } : {};
  const manifest = manifestFile({ entrypoint: `${file}:agent`, sdk: undefined, ...model_ });
  const { agentId } = await deploy(fleet, { ...manifest, [file]: source });
  const { id } = await fleet.client.createSession(agentId);
  const files = Object.entries(given.files ?? {}).map(([name, content]) => uploadText(fleet, name, content));
  const parts = (await Promise.all(files)).map((file_id) => ({ type: "file" as const, file_id }));
  const sent = await fleet.client.sendMessageAsync(id, { parts: [textPart(given.prompt), ...parts] });
  for (const [key, value] of Object.entries(given.answers ?? {})) {
    const isAsked = async (): Promise<boolean> =>
      (await fleet.client.getMessage(sent.id)).status === "waiting_for_input";
    await waitUntil(isAsked, { what: "the question", timeoutMs: 30_000 });
    await fleet.client.answerInput(sent.id, { key, value });
  }
  const record = await ended(fleet, sent.id);
  const [text] = record.output?.parts ?? [];
  expect(record).toMatchObject({ status: "completed" });
  expect(text).toEqual({ type: "text", text: given.text.replace("<key>", sent.id) });
  if (given.parts !== undefined) expect(record.output?.parts).toMatchObject(given.parts);
});
