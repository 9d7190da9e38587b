// Makes an organization and prints its admin key, once: how an installation without the standalone platform begins.
//
//   node apps/api/src/create-organization.ts "Name" [--operator]
//
// The first one is an operator's: its admin keys look after all. `--operator` makes another one that.

import { parseArgs } from "node:util";
import { controlOf, openServices, setUpOrganization } from "@dari/control";
import { createLogger, runMain } from "@dari/runtime";
import { readApiConfig } from "./config.ts";

await runMain(async (_signal, stack) => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { operator: { type: "boolean" } } });
  const [name] = positionals;
  if (name === undefined || name.trim() === "")
    throw new Error('give the organization a name: create-organization.ts "Name"');
  const config = readApiConfig();
  const log = createLogger({ name: "create-organization", level: "warn" });
  const services = await openServices(config, { program: "create-organization", log }, stack);
  const control = controlOf(services, config, config.publicUrl ?? `http://${config.host}:${config.port}`);
  const request = { name, operator: values.operator === true };
  const { id, slug, is_operator, api_key } = await setUpOrganization(control, request);
  process.stdout.write(`${JSON.stringify({ id, name, slug, is_operator, api_key }, null, 2)}\n`);
});
