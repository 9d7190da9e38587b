// Publishing a bundle, and following the build of a version.

import type { CallOptions, Content } from "./call.ts";
import { bytesOf, canResend, piecesOf } from "./content.ts";
import { ConnectionError } from "./errors.ts";
import type { SourceSnapshotCreated, Version } from "./generated/models.ts";
import type { Operations } from "./generated/operations.ts";
import { pause } from "./pause.ts";
import type { Transport } from "./transport.ts";

/** The interval of the checks of a version that is being built. Milliseconds. */
const checkEveryMs = 500;
/** How many times in a row a broken log is resumed. */
const resumeAttempts = 5;

export function buildMethods(api: Operations, transport: Transport) {
  return {
    /** Uploads a bundle to the address in its reservation. */
    async uploadReservedBundle(to: SourceSnapshotCreated, content: Content, options?: CallOptions): Promise<void> {
      const { upload_url: url, upload_headers: headers } = to;
      const body = bytesOf(content);
      const request = {
        method: "PUT",
        url,
        headers,
        body,
        timeoutMs: options?.timeoutMs ?? 0,
        signal: options?.signal,
      };
      await transport.send({ ...request, canResend: canResend(content), isIdempotent: true }, (response) =>
        response.arrayBuffer(),
      );
    },
    /** The build's log, piece by piece until the build ends, also through broken connections. */
    followBuildLogs: (versionId: string, options: CallOptions = {}): AsyncGenerator<string> =>
      followLog(
        () =>
          transport.open({
            method: "GET",
            url: `/v1/versions/${encodeURIComponent(versionId)}/build-logs?follow=1`,
            ...options,
            canResend: true,
            isIdempotent: true,
          }),
        options.signal,
      ),
    /** Waits until a version is ready or failed. */
    async waitForVersion(agentId: string, versionId: string, options: CallOptions = {}): Promise<Version> {
      for (;;) {
        const version = await api.getVersion(agentId, versionId, options);
        if (version.status !== "building") return version;
        await pause(checkEveryMs, options.signal);
      }
    },
  };
}

/** A followed log starts from its beginning with every connection, so the part already seen is skipped. */
async function* followLog(connect: () => Promise<Response>, signal?: AbortSignal): AsyncGenerator<string> {
  let seen = 0;
  for (let failures = 0; ;) {
    const { body } = await connect();
    if (body === null) return;
    const decoder = new TextDecoder();
    let position = 0;
    try {
      for await (const bytes of piecesOf(body)) {
        const piece = decoder.decode(bytes, { stream: true });
        const fresh = piece.slice(Math.max(0, seen - position));
        position += piece.length;
        if (fresh === "") continue;
        seen = position;
        failures = 0;
        yield fresh;
      }
      return;
    } catch (error) {
      if (signal?.aborted === true) throw error;
      failures += 1;
      if (failures > resumeAttempts)
        throw new ConnectionError("the connection broke while the log was read", { cause: error });
    }
  }
}
