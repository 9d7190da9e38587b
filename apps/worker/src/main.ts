// The worker as a program of its own. As an ordinary user it starts again in a namespace of its own first, so nothing
// else is loaded before that.

import { enterOwnNamespace } from "@dari/native/namespace";

await enterOwnNamespace();
await import("./run-worker.ts");
