// `dari auth …`: signs a person in with the browser, and gets a key for this device.

import { setTimeout as pause } from "node:timers/promises";
import { hostname } from "node:os";
import { ApiError, ConnectionError, createClient, type Client } from "@dari/client";
import type { DevicePolled, DeviceStarted, Me } from "@dari/contract";
import type { Command } from "commander";
import { findConnection, forgetConnection, saveConnection, type ConnectionOptions } from "../config.ts";
import { createContext, type Io } from "../context.ts";
import { CliError, exitCodes } from "../exit.ts";

export function addAuthCommands(program: Command, io: Io): void {
  const auth = program.command("auth").description("sign in as a person");
  auth
    .command("login")
    .description("sign in with the browser; saves a key for this device")
    .option("--device-name <name>", "name of the key", hostname())
    .action(async ({ deviceName }: { readonly deviceName: string }, command: Command) => {
      const { output, signal } = createContext(io, command);
      const given = command.optsWithGlobals<ConnectionOptions>();
      // Do not use an existing key: it may be the reason for the new sign-in.
      const { apiUrl } = await findConnection(given, io.environment);
      const api = createClient({ apiUrl, userAgent: "dari-cli" });
      const started = await api.startDevice({ device_name: deviceName }, { signal });
      output.progress(`Open ${started.verification_uri_complete}`);
      output.progress(`Approve the sign-in if the page shows this code: ${started.user_code}`);
      const { api_key: apiKey, organization_id: organizationId } = await waitForDecision(api, apiUrl, started, signal);
      if (apiKey === undefined) {
        throw new CliError("the sign-in was approved, but the platform returned no key; run the command again");
      }
      const path = await saveConnection({ apiUrl, apiKey }, io.environment);
      output.result({ api_url: apiUrl, organization_id: organizationId, path }, () => {
        return `Signed in to ${apiUrl} (${organizationId ?? ""}); saved in ${path}`;
      });
    });
  auth
    .command("logout")
    .description("revoke the key of this device and delete it from this machine")
    .action(async (_options: unknown, command: Command) => {
      const { output, client, connection, signal } = createContext(io, command);
      const { apiUrl } = await connection();
      const ended = await endKey(await client(), signal);
      const path = await forgetConnection(apiUrl, io.environment);
      output.result({ api_url: apiUrl, ended, path: path ?? null }, () => {
        if (ended) return `Signed out of ${apiUrl}`;
        if (path === undefined) {
          const why = "the key in use belongs to the organization or is no longer valid";
          return `Nothing to sign out of at ${apiUrl}: ${why}, and no key for this address is saved on this machine.`;
        }
        const why = "it belongs to the organization, or is no longer valid.";
        return `Deleted the saved key for ${apiUrl}. The key was not revoked: ${why}`;
      });
    });
  auth
    .command("status")
    .description("show the address, the organization, who is signed in, and the key's scopes")
    .action(async (_options: unknown, command: Command) => {
      const { output, client, connection, signal } = createContext(io, command);
      const { apiUrl } = await connection();
      const me = await (await client()).getMe({ signal });
      output.result({ api_url: apiUrl, ...me }, () => describe(apiUrl, me));
    });
}

function describe(apiUrl: string, { organization, member, scopes }: Me): string {
  const who = member === null ? "signed in with a key of the organization" : `${member.email} (${member.role})`;
  return [`${apiUrl}`, `${organization.name} (${organization.id})`, who, `scopes: ${scopes.join(", ")}`].join("\n");
}

/** @throws CliError (exit code 3) if the person refuses, or does not decide in time. */
async function waitForDecision(
  api: Client,
  apiUrl: string,
  started: DeviceStarted,
  signal: AbortSignal,
): Promise<DevicePolled> {
  let { interval } = started;
  for (const endsAt = Date.now() + started.expires_in * 1_000; ;) {
    await pause(interval * 1_000, undefined, { signal });
    const polled = await poll(api, started.device_code, signal);
    if (polled === undefined && Date.now() < endsAt) continue;
    if (polled === undefined) {
      const message = `cannot reach ${apiUrl}; check the address and run the command again`;
      throw new CliError(message, exitCodes.unavailable);
    }
    if (polled.status === "approved") return polled;
    if (polled.status === "access_denied") throw new CliError("the sign-in was denied", exitCodes.unauthorized);
    if (polled.status === "expired_token")
      throw new CliError("the sign-in was not approved in time; run the command again", exitCodes.unauthorized);
    ({ interval } = polled);
  }
}

/** Returns undefined after an error that can be temporary: no connection, or a status of 500 or more. */
async function poll(api: Client, deviceCode: string, signal: AbortSignal): Promise<DevicePolled | undefined> {
  try {
    return await api.pollDevice({ device_code: deviceCode }, { signal });
  } catch (error) {
    if (error instanceof ConnectionError || (error instanceof ApiError && error.status >= 500)) return undefined;
    throw error;
  }
}

/** Returns false if the key belongs to the organization, or is already revoked or expired. */
async function endKey(api: Client, signal: AbortSignal): Promise<boolean> {
  try {
    return (await api.signOut({ signal })).signed_out;
  } catch (error) {
    if (error instanceof ApiError && (error.code === "conflict" || error.code === "unauthenticated")) return false;
    throw error;
  }
}
