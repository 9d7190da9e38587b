// Jest's global tear-down: stops what the set-up started.

import { stopKey, type GlobalWithStop } from "./jest-global-setup.ts";

export default async function globalTeardown(): Promise<void> {
  await (globalThis as GlobalWithStop)[stopKey]?.();
}
