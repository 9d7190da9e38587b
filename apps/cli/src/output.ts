// The command's output: results on stdout, for people or as JSON; progress and errors on stderr.

import { ApiError, ConnectionError } from "@dari/client";
import { microPerDollar } from "@dari/domain";
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { textFor } from "./controls.ts";

export interface Streams {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

export interface Output {
  readonly isJson: boolean;
  /** Prints the result: one JSON value with `--json`, otherwise lines for people. */
  result(value: unknown, human: () => string): void;
  /** Prints one of many results: a line of JSON with `--json`, otherwise a line for people. */
  line(value: unknown, human: () => string): void;
  /** Prints a line of progress, for people and logs; never part of the result. */
  progress(line: string): void;
  /** Prints the command that usually comes next, only to a terminal. */
  hint(command: string): void;
  /** Prints a piece of a log. */
  log(text: string): void;
  error(error: unknown): void;
}

export function createOutput(streams: Streams, isJson: boolean): Output {
  const { stdout, stderr } = streams;
  const show = (text: string): void => void stdout.write(textFor(stdout, text));
  const tell = (text: string): void => void stderr.write(textFor(stderr, text));
  return {
    isJson,
    result(value, human) {
      const text = isJson ? JSON.stringify(value, null, 2) : human();
      if (text !== "") show(text.endsWith("\n") ? text : `${text}\n`);
    },
    line: (value, human) => show(`${isJson ? JSON.stringify(value) : human()}\n`),
    progress: (line) => tell(`${line}\n`),
    hint: (command) => void (!isJson && stderr.isTTY === true && stderr.write(`Next: ${command}\n`)),
    log: tell,
    error(error) {
      const described = describeError(error);
      tell(isJson ? `${JSON.stringify(described)}\n` : renderError(described, adviceFor(error)));
    },
  };
}

interface DescribedError {
  readonly detail: string;
  readonly code?: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly request_id?: string;
}

function describeError(error: unknown): DescribedError {
  if (!(error instanceof ApiError)) return { detail: error instanceof Error ? error.message : String(error) };
  return {
    detail: error.detail,
    code: error.code,
    ...(error.errors.length > 0 ? { errors: error.errors } : {}),
    ...(error.requestId === undefined ? {} : { request_id: error.requestId }),
  };
}

function adviceFor(error: unknown): string[] {
  if (error instanceof ApiError && error.code === "unauthenticated") {
    return ["Run `dari auth login` or `dari login`, set DARI_API_KEY, or pass --api-key."];
  }
  if (error instanceof ConnectionError && !error.timedOut) {
    return [
      "Is the platform running? Start it with `npm start`. If it runs elsewhere, set its address with --api-url, " +
        "DARI_API_URL, DARI_CONNECTION_FILE or `dari login`.",
    ];
  }
  return [];
}

function renderError(error: DescribedError, advice: readonly string[]): string {
  const { detail, errors = [] } = error;
  const problems = errors.map(({ path, message }) => `${path}: ${message}`);
  // Do not repeat a detail that is the only problem.
  const listed = problems.join("; ") === detail ? [] : problems.map((problem) => `- ${problem}`);
  const lines = [`dari: ${detail}`, ...listed, ...advice];
  if (error.request_id !== undefined) lines.push(`(request ${error.request_id})`);
  return `${lines.join("\n")}\n`;
}

/** Writes bytes to a file; `-` is standard output. */
export async function saveTo(file: string, content: NodeJS.ReadableStream, { stdout }: Streams): Promise<void> {
  if (file === "-") await pipeline(content, stdout, { end: false });
  else await pipeline(content, createWriteStream(file));
}

/** Renders rows in columns under their headings. An empty table says that it is empty. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "(none)";
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `$0.012500`. Exact: a sum of shown amounts is the shown sum. */
export function formatDollars(micro: number): string {
  return `$${(micro / microPerDollar).toFixed(6)}`;
}

/** `12.3 MiB` */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit] ?? ""}`;
}
