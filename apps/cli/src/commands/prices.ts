// `dari operator prices …`: what requests to models cost.

import type { PriceList, PutPriceListReply } from "@dari/contract";
import { InvalidArgumentError, Option, type Command } from "commander";
import { readFile } from "node:fs/promises";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";
import { table } from "../output.ts";

/** More missing prices are counted only. */
const missingShown = 10;

export function addPriceCommands(operator: Command, io: Io): void {
  const prices = operator.command("prices").description("manage the price lists of models");
  prices
    .command("import <file>")
    .description("replace the price list of a date by a YAML or JSON file; costs that are stored do not change")
    .action(async (file: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const reply = await (await client()).putPriceList(await readPriceFile(file), { signal });
      for (const line of [...describeForce(reply), ...describeMissing(reply)]) output.progress(line);
      output.result(reply, () => describePut(reply));
    });
  prices
    .command("list")
    .description("show a price list, in US dollars for a million tokens, and the dates of all lists")
    .addOption(
      new Option("--valid-from <date>", "date of the list (default: the list in force today, UTC)").argParser(
        parseDate,
      ),
    )
    .action(async ({ validFrom }: { readonly validFrom?: string }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const query = validFrom === undefined ? {} : { valid_from: validFrom };
      const list = await (await client()).getPriceList(query, { signal });
      output.result(list, () => renderList(list));
    });
}

function parseDate(text: string): string {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) throw new InvalidArgumentError("expected a date such as 2026-11-30");
  return text;
}

async function readPriceFile(file: string) {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw invalid(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  // Imports the schemas only when they are needed, so that other commands start faster.
  const { parsePriceFile } = await import("@dari/contract");
  const result = parsePriceFile(text);
  if (result.ok) return result.request;
  const lines = result.issues.map(({ path, message }) => `- ${path}: ${message}`);
  throw invalid([`${file} is not a valid price list:`, ...lines].join("\n"));
}

function describePut({ valid_from: from, prices, replaced }: PutPriceListReply): string {
  if (prices === 0) return `removed the price list of ${from}: ${pricesText(replaced)}`;
  return `imported ${pricesText(prices)} valid from ${from}${replaced === 0 ? "" : `, in place of ${replaced}`}`;
}

function pricesText(count: number): string {
  return `${count} ${count === 1 ? "price" : "prices"}`;
}

/** Dates in this form compare as texts. */
function describeForce({ valid_from: from, prices, in_force: inForce }: PutPriceListReply): string[] {
  if (prices === 0 || inForce === from) return [];
  if (inForce !== null && inForce > from) return [`this list is not in force: that of ${inForce} is later`];
  return [
    `this list is in force from ${from} on; until then ${inForce === null ? "no list" : `that of ${inForce}`} is`,
  ];
}

function describeMissing({ valid_from: from, missing }: PutPriceListReply): string[] {
  if (missing.length === 0) return [];
  const more = missing.length - missingShown;
  return [
    `not in this list, so without a price from ${from} on: ${pricesText(missing.length)} of the list before`,
    ...missing.slice(0, missingShown).map(({ host, model }) => `  ${host} ${model}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function renderList({ valid_from: from, prices, lists }: PriceList): string {
  const dates = table(
    ["VALID FROM", "PRICES", ""],
    lists.map((list) => [list.valid_from, String(list.prices), list.is_in_force ? "in force" : ""]),
  );
  if (from === null) return lists.length === 0 ? "There are no price lists." : `No list is in force.\n\n${dates}`;
  const rows = prices.map(({ host, model, usd_per_million_tokens: usd }) => {
    return [host, model, ...[usd.input, usd.cached_input, usd.cache_write, usd.output].map((one) => `${one ?? ""}`)];
  });
  const shown = table(["HOST", "MODEL", "INPUT", "CACHED", "CACHE WRITE", "OUTPUT"], rows);
  return `US dollars for a million tokens, valid from ${from}\n\n${shown}\n\n${dates}`;
}
