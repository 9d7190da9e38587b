// Makes tar.gz bundles for the tests, valid and malicious ones.

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

export interface Entry {
  readonly name: string;
  readonly body?: string;
  /** Tar's type flag: "0" a file, "2" a symlink, "3" a device. */
  readonly type?: string;
  readonly link?: string;
}

export interface Bundle {
  readonly bytes: Buffer;
  readonly sha256: string;
}

export const manifestText = "name: support-agent\nsdk: opencode\nentrypoint: src/agent.js:agent\n";

/** A small agent; `manifest` replaces its dari.yml. */
export function agentBundle(manifest: string = manifestText): Bundle {
  return bundleOf([
    { name: "dari.yml", body: manifest },
    { name: "src/agent.js", body: "export function agent(prompt) { return prompt; }\n" },
  ]);
}

export function bundleOf(members: readonly Entry[]): Bundle {
  const blocks = members.flatMap((member) => {
    const body = Buffer.from(member.body ?? "");
    return [header(member, body.length), body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return asBundle(gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])));
}

export function asBundle(bytes: Buffer): Bundle {
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function header(member: Entry, sizeBytes: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(member.name, 0, 100);
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(member.type ?? "0", 156);
  block.write(member.link ?? "", 157, 100);
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
