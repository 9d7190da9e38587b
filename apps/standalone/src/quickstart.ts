// `npm run quickstart`. For an ordinary user, it first restarts in its own namespace, as `npm start` does.

import { enterOwnNamespace } from "@dari/native/namespace";

await enterOwnNamespace();
await import("./quickstart/run-quickstart.ts");
