// What every command gets: the connection, the output, the environment, and a signal that interrupts it.

import { type Client, createClient } from "@dari/client";
import type { Command } from "commander";
import { findConnection, type Connection, type ConnectionOptions, type Environment } from "./config.ts";
import { createOutput, type Output, type Streams } from "./output.ts";

export interface Io extends Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly environment: Environment;
  readonly signal: AbortSignal;
}

export interface Context {
  readonly io: Io;
  readonly output: Output;
  readonly signal: AbortSignal;
  connection(): Promise<Connection>;
  client(): Promise<Client>;
}

interface GlobalOptions extends ConnectionOptions {
  readonly json?: boolean;
}

export function createContext(io: Io, command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  let found: Promise<Connection> | undefined;
  const connection = () => (found ??= findConnection(options, io.environment));
  return {
    io,
    output: createOutput(io, options.json ?? false),
    signal: io.signal,
    connection,
    async client() {
      const { apiUrl, apiKey } = await connection();
      return createClient({ apiUrl, userAgent: "dari-cli", ...(apiKey === undefined ? {} : { apiKey }) });
    },
  };
}
