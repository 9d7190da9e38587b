// `dari agents …`: agents and their versions.

import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { limitOption } from "../options.ts";

export function addAgentCommands(program: Command, io: Io): void {
  const agents = program.command("agents").description("manage agents and their versions");
  agents
    .command("list")
    .description("list agents, newest first")
    .addOption(limitOption())
    .action((options: { readonly limit: number }, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listAgents(page, call),
        limit: options.limit,
        headings: ["AGENT", "ACTIVE VERSION", "CREATED", "NAME"],
        cells: (row) => [row.id, row.active_version_id ?? "(none)", row.created_at, row.name],
      }),
    );
  agents
    .command("versions <agent>")
    .description("list an agent's versions, newest first")
    .addOption(limitOption())
    .action((id: string, options: { readonly limit: number }, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listVersions(id, page, call),
        limit: options.limit,
        headings: ["NUMBER", "VERSION", "STATUS", "CREATED"],
        cells: (row) => {
          return [String(row.number), row.id, row.active ? `${row.status}, active` : row.status, row.created_at];
        },
      }),
    );
  agents
    .command("activate <agent> <version>")
    .description("make a ready version the active one, for example to roll back")
    .action(async (id: string, versionId: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).activateVersion(id, { version_id: versionId }, { signal });
      output.result(record, () => `${record.id} now runs ${record.active_version_id ?? "no version"}`);
    });
  addOneAgentCommands(agents, io);
}

function addOneAgentCommands(agents: Command, io: Io): void {
  agents
    .command("get <agent>")
    .description("show an agent")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getAgent(id, { signal });
      output.result(record, () =>
        [
          `agent    ${record.id}`,
          `name     ${record.name}`,
          `version  ${record.active_version_id ?? "(none)"}`,
          `created  ${record.created_at}`,
        ].join("\n"),
      );
    });
  agents
    .command("rename <agent> <name>")
    .description("give an agent another name; its id, sessions and schedules stay")
    .action(async (id: string, name: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).updateAgent(id, { name }, { signal });
      output.result(record, () => `${record.id} is now called ${record.name}`);
    });
  agents
    .command("build-logs <version>")
    .description("show the log of a version's build")
    .option("-f, --follow", "wait for further lines until the build ends")
    .action(async (id: string, options: { readonly follow?: boolean }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const logs =
        options.follow === true ? api.followBuildLogs(id, { signal }) : [await api.getBuildLogs(id, {}, { signal })];
      for await (const text of logs) {
        if (output.isJson) output.line({ version_id: id, logs: text }, () => text);
        else io.stdout.write(text);
      }
    });
  agents
    .command("delete <agent>")
    .description("delete an agent; no new sessions start, running turns finish")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const deleted = await (await client()).deleteAgent(id, { signal });
      output.result(deleted, () => `deleted ${id}`);
    });
}
