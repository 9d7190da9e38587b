// `npm start`. As an ordinary user it starts again in a namespace of its own first, so nothing else is loaded before.

import { enterOwnNamespace } from "@dari/native/namespace";

await enterOwnNamespace();
await import("./run-platform.ts");
