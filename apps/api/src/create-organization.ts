// Makes an organization and prints its admin key, once: how an installation without the standalone platform begins.
//
//   node apps/api/src/create-organization.ts "Name"

import { controlOf, createOrganization, openServices } from "@dari/control";
import { createLogger, runMain } from "@dari/runtime";
import { readApiConfig } from "./config.ts";

await runMain(async (_signal, stack) => {
  const name = process.argv[2];
  if (name === undefined || name.trim() === "")
    throw new Error('give the organization a name: create-organization.ts "Name"');
  const config = readApiConfig();
  const log = createLogger({ name: "create-organization", level: "warn" });
  const services = await openServices(config, { program: "create-organization", log }, stack);
  const control = controlOf(services, config, config.publicUrl ?? `http://${config.host}:${config.port}`);
  const { id, slug, api_key } = await createOrganization(control, { name });
  process.stdout.write(`${JSON.stringify({ id, name, slug, api_key }, null, 2)}\n`);
});
