// The worker as a separate program. As an ordinary user it first restarts in its own namespace, so nothing else is
// loaded before that.

import { enterOwnNamespace } from "@dari/native/namespace";

await enterOwnNamespace();
await import("./run-worker.ts");
