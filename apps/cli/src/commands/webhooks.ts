// `dari webhooks …`: receivers of events, and their deliveries.

import type { UpdateWebhookEndpointRequest } from "@dari/contract";
import { eventTypes, type EventType } from "@dari/contract/vocabulary";
import { type Command, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { invalid } from "../exit.ts";
import { agentOption, given, limitOption, organizationOption, type OrganizationOption } from "../options.ts";

interface AddOptions extends OrganizationOption {
  readonly event?: EventType[];
  readonly agentId?: string;
  readonly description?: string;
}

interface SetOptions extends Omit<AddOptions, "agentId"> {
  readonly url?: string;
  readonly enable?: boolean;
  readonly disable?: boolean;
}

const deliveryStates = ["pending", "delivered", "failed", "cancelled"] as const;

interface DeliveriesOptions extends OrganizationOption {
  readonly status?: (typeof deliveryStates)[number];
  readonly limit: number;
}

export function addWebhookCommands(program: Command, io: Io): void {
  const webhooks = program.command("webhooks").description("manage URLs that receive events");
  addEndpointCommands(webhooks, io);
  addChangeCommands(webhooks, io);
  addDeliveryCommands(webhooks, io);
}

function eventOption(): Option {
  return new Option("--event <type...>", "event types (default: events that end a message)").choices(eventTypes);
}

function addEndpointCommands(webhooks: Command, io: Io): void {
  webhooks
    .command("list")
    .description("list endpoints, without their secrets")
    .addOption(organizationOption())
    .action(({ org }: OrganizationOption, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listWebhookEndpoints(org, page, call),
        headings: ["ENDPOINT", "STATUS", "AGENT", "EVENTS", "URL"],
        cells: (row) => {
          const status = row.disabled_reason === null ? row.status : `${row.status} (${row.disabled_reason})`;
          return [row.id, status, row.agent_id ?? "(all agents)", row.event_types.join(","), row.url];
        },
      }),
    );
  webhooks
    .command("add <url>")
    .description("deliver events to a URL; prints the secret once, on standard output")
    .addOption(eventOption())
    .addOption(agentOption("events of this agent only"))
    .option("--description <text>", "a note for people")
    .addOption(organizationOption())
    .action(async (url: string, options: AddOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const body = {
        url,
        ...given({ event_types: options.event, agent_id: options.agentId, description: options.description }),
      };
      const reply = await (await client()).createWebhookEndpoint(body, options.org, { signal });
      output.progress(`Created ${reply.id}; this is the only time its secret is shown.`);
      output.result(reply, () => reply.secret ?? "");
    });
}

function addChangeCommands(webhooks: Command, io: Io): void {
  webhooks
    .command("set <id>")
    .description("change an endpoint; other settings are unchanged")
    .option("--url <url>", "new URL")
    .addOption(eventOption())
    .option("--description <text>", "a note for people")
    .option("--enable", "resume deliveries")
    .option("--disable", "stop deliveries")
    .addOption(organizationOption())
    .action(async (id: string, options: SetOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const reply = await (await client()).updateWebhookEndpoint(id, changeOf(options), options.org, { signal });
      output.result(reply, () => `changed ${id}; status: ${reply.status}`);
    });
  webhooks
    .command("remove <id>")
    .description("remove an endpoint; pending deliveries are cancelled")
    .addOption(organizationOption())
    .action(async (id: string, { org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const reply = await (await client()).deleteWebhookEndpoint(id, org, { signal });
      output.result(reply, () => `removed ${id}`);
    });
  webhooks
    .command("rotate <id>")
    .description("replace the secret and print it once; deliveries are signed with both secrets for 24 hours")
    .addOption(organizationOption())
    .action(async (id: string, { org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const reply = await (await client()).rotateWebhookSecret(id, org, { signal });
      const until = reply.old_secret_expires_at;
      const signed = until === null ? "only with the new secret" : `with the old and the new secret until ${until}`;
      output.progress(`Deliveries to ${id} are signed ${signed}.`);
      output.result(reply, () => reply.secret ?? "");
    });
}

function changeOf(options: SetOptions): UpdateWebhookEndpointRequest {
  if (options.enable === true && options.disable === true) throw invalid("pass --enable or --disable, not both");
  const status = options.enable === true ? "enabled" : options.disable === true ? "disabled" : undefined;
  const change: UpdateWebhookEndpointRequest = {
    ...given({ url: options.url, event_types: options.event, description: options.description, status }),
  };
  if (Object.keys(change).length === 0) throw invalid("give at least one change: --url, --event, --enable …");
  return change;
}

function addDeliveryCommands(webhooks: Command, io: Io): void {
  webhooks
    .command("test <id>")
    .description("deliver a webhook.test event")
    .addOption(organizationOption())
    .action(async (id: string, { org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const reply = await (await client()).testWebhookEndpoint(id, org, { signal });
      output.result(reply, () => `${reply.id} queued; see: dari webhooks deliveries ${id}`);
    });
  webhooks
    .command("deliveries <id>")
    .description("show an endpoint's deliveries, newest first")
    .addOption(new Option("--status <status>", "only with this status").choices(deliveryStates))
    .addOption(organizationOption())
    .addOption(limitOption())
    .action((id: string, { org, status, limit }: DeliveriesOptions, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listWebhookDeliveries(id, org, { ...page, ...given({ status }) }, call),
        limit,
        headings: ["DELIVERY", "CREATED", "TYPE", "STATUS", "ATTEMPTS", "RESPONSE", "ERROR"],
        cells: (row) => {
          const response = row.response_status === null ? "" : String(row.response_status);
          return [row.id, row.created_at, row.type, row.status, String(row.attempts), response, row.error ?? ""];
        },
      }),
    );
  webhooks
    .command("resend <id> <delivery>")
    .description("retry a delivery now, with ten new attempts")
    .addOption(organizationOption())
    .action(async (id: string, delivery: string, { org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const reply = await (await client()).resendWebhookDelivery(id, delivery, org, { signal });
      output.result(reply, () => `${delivery} queued again`);
    });
}
