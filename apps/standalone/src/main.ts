// `npm start`. For an ordinary user, it first restarts in its own namespace, so nothing else is loaded before.

import { enterOwnNamespace } from "@dari/native/namespace";

await enterOwnNamespace();
await import("./run-platform.ts");
