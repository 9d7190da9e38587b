// Calls about agents and versions.

import type { VersionRecord } from "@dari/contract";
import { createDeriver } from "./derive-methods.ts";
import { ConnectionError } from "./errors.ts";
import { pause } from "./pause.ts";
import type { CallOptions, Transport } from "./transport.ts";

/** The interval of the checks of a version that is being built. Milliseconds. */
const lookEveryMs = 500;

/** How many times in a row a broken log stream is resumed. */
const resumeAttempts = 5;

export function agentCalls(transport: Transport) {
  const { call, open } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  const getVersion = derived("getVersion");

  return {
    ...derivedAll("createAgent", "listAgents", "getAgent", "deleteAgent", "createVersion", "listVersions"),

    getVersion,

    activateVersion: (agentId: string, versionId: string, options?: CallOptions) =>
      call("activateVersion", { path: { agent_id: agentId }, body: { version_id: versionId }, options }),

    /** The build's log; with `follow`, piece by piece until the build ends, also through broken connections. */
    buildLogs: (versionId: string, options: CallOptions & { follow?: boolean } = {}): AsyncGenerator<string> =>
      readLog((follow) => {
        return open("getBuildLogs", { path: { version_id: versionId }, query: { follow }, options });
      }, options),

    /** Waits until a version is ready or failed. */
    async waitForVersion(agentId: string, versionId: string, options: CallOptions = {}): Promise<VersionRecord> {
      for (;;) {
        const version = await getVersion(agentId, versionId, options);
        if (version.status !== "building") return version;
        await pause(lookEveryMs, options.signal);
      }
    },
  };
}

/** Reads a log. A followed log starts from its beginning with every connection, so the part already seen is skipped. */
async function* readLog(
  connect: (follow: boolean) => Promise<Response>,
  options: { readonly follow?: boolean; readonly signal?: AbortSignal },
): AsyncGenerator<string> {
  let seen = 0;
  for (let failures = 0; ;) {
    const response = await connect(options.follow ?? false);
    let position = 0;
    try {
      for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const fresh = piece.slice(Math.max(0, seen - position));
        position += piece.length;
        if (fresh === "") continue;
        seen = position;
        failures = 0;
        yield fresh;
      }
      return;
    } catch (error) {
      if (options.signal?.aborted === true) throw error;
      failures += 1;
      if (failures > resumeAttempts) throw new ConnectionError("the log broke off", { cause: error });
    }
  }
}
