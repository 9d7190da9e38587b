// The publishing calls in order, for tests that need an uploaded bundle.

import type { Bundle } from "./bundle.ts";
import type { TestApi, TestReply } from "./api-fixture.ts";

export interface ReservedBundle {
  readonly id: string;
  readonly uploadUrl: string;
}

export async function reserve(api: TestApi, bundle: Bundle, sizeBytes = bundle.bytes.length): Promise<ReservedBundle> {
  const reply = await api.call("POST", "/v1/source-snapshots", {
    body: { format: "tar.gz", sha256: bundle.sha256, size_bytes: sizeBytes },
  });
  if (reply.status !== 201) throw new Error(`not reserved: ${reply.text}`);
  return { id: String(reply.json["source_snapshot_id"]), uploadUrl: String(reply.json["upload_url"]) };
}

export function upload(api: TestApi, reserved: ReservedBundle, bytes: Buffer): Promise<TestReply> {
  return api.call("PUT", reserved.uploadUrl, { key: null, body: bytes });
}

export function finalize(api: TestApi, id: string): Promise<TestReply> {
  return api.call("POST", `/v1/source-snapshots/${id}/finalize`);
}

/** Reserves, uploads and finalizes a bundle. */
export async function bring(api: TestApi, bundle: Bundle): Promise<{ id: string; verdict: TestReply }> {
  const reserved = await reserve(api, bundle);
  const uploaded = await upload(api, reserved, bundle.bytes);
  if (uploaded.status !== 200) throw new Error(`not uploaded: ${uploaded.text}`);
  return { id: reserved.id, verdict: await finalize(api, reserved.id) };
}
