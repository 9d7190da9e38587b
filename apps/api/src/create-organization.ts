// Creates an organization and prints its admin key once, for installations without the standalone platform.
//
//   node apps/api/src/create-organization.ts "Name" [--operator]
//
// Wrong arguments print the usage and exit with code 2.

import { parseArgs } from "node:util";
import { createControl, openServices } from "@dari/control/assembly";
import { setUpOrganization } from "@dari/control/tenants";
import { createLogger, runMain } from "@dari/runtime";
import { readApiConfig } from "./config.ts";

const usage = `Usage: node apps/api/src/create-organization.ts "Name" [--operator]

Makes an organization and prints its admin key, once. The first one is an operator's: its admin keys look after the
whole platform. --operator makes another one that. Settings are the API's: docs/config.md.`;

const request = readRequest();
if (request !== undefined) await runMain((_signal, stack) => create(request, stack));

interface OrganizationRequest {
  readonly name: string;
  readonly operator: boolean;
}

/** Returns undefined if the answer is already printed. */
function readRequest(): OrganizationRequest | undefined {
  const words = process.argv.slice(2);
  if (words.some((word) => word === "--help" || word === "-h")) {
    process.stdout.write(`${usage}\n`);
    return undefined;
  }
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { operator: { type: "boolean" } } });
    const [name, ...more] = positionals;
    if (more.length > 0) return refuse(`one name is needed, and this is another: ${more[0]}; put it in quotes`);
    if (name === undefined || name.trim() === "") return refuse("give the organization a name");
    return { name, operator: values.operator === true };
  } catch (error) {
    if (error instanceof Error && String((error as NodeJS.ErrnoException).code).startsWith("ERR_PARSE_ARGS")) {
      return refuse(error.message);
    }
    throw error;
  }
}

function refuse(problem: string): undefined {
  process.stderr.write(`${problem}\n\n${usage}\n`);
  process.exitCode = 2;
}

async function create(request: OrganizationRequest, stack: AsyncDisposableStack): Promise<void> {
  const config = readApiConfig();
  const log = createLogger({ name: "create-organization", level: "warn" });
  const services = await openServices(config, { program: "create-organization", log }, stack);
  const control = createControl(services, config, config.publicUrl ?? `http://${config.host}:${config.port}`);
  const { id, slug, is_operator, api_key } = await setUpOrganization(control, request);
  process.stdout.write(`${JSON.stringify({ id, name: request.name, slug, is_operator, api_key }, null, 2)}\n`);
}
