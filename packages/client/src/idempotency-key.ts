// Random keys, also where `crypto.randomUUID` is missing: in Node 18, and in browsers on pages without TLS.

export function newKey(): string {
  const { crypto } = globalThis as Partial<Pick<typeof globalThis, "crypto">>;
  const bytes = crypto?.getRandomValues(new Uint8Array(16)) ?? Uint8Array.from({ length: 16 }, randomByte);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const randomByte = (): number => Math.floor(Math.random() * 256);
