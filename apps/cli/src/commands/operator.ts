// `dari operator …`: commands for the whole installation.

import type { Resealed } from "@dari/contract";
import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { CliError } from "../exit.ts";
import { addStopCommands } from "./budgets.ts";
import { addPriceCommands } from "./prices.ts";
import { addFleetCommand } from "./usage.ts";

/** Maximum number of secrets that one call encrypts again. */
const perCall = 200;

export function addOperatorCommand(program: Command, io: Io): void {
  const operator = program.command("operator").description("manage the installation (for operators)");
  addStopCommands(operator, io);
  addFleetCommand(operator, io);
  addPriceCommands(operator, io);
  operator
    .command("reseal")
    .description("encrypt every stored secret with the current master key; fails if some cannot be decrypted")
    .action(async (_options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const unopened: Resealed["unopened"] = [];
      let [resealed, key] = [0, ""];
      for (let after: string | null | undefined; after !== null;) {
        const body: { limit: number; after?: string } = { limit: perCall, ...(after === undefined ? {} : { after }) };
        const step: Resealed = await api.resealSecrets(body, { signal });
        resealed += step.resealed;
        unopened.push(...step.unopened);
        key = step.key_id;
        after = step.next;
        if (after !== null) output.progress(`${resealed} secrets so far`);
      }
      output.result({ key_id: key, resealed, unopened }, () => {
        return `${resealed} secrets encrypted with master key ${key}`;
      });
      if (unopened.length > 0) {
        const reasons = unopened.map(({ reason }) => reason).join("\n");
        const advice = "add the old key to DARI_MASTER_KEYS_OLD, or store their values again";
        throw new CliError(`${unopened.length} secrets cannot be decrypted; ${advice}:\n${reasons}`);
      }
    });
}
