// `npm run quickstart`. As an ordinary user it starts again in a namespace of its own first, as `npm start` does.

import { enterOwnNamespace } from "@dari/native/namespace";

await enterOwnNamespace();
await import("./quickstart/run-quickstart.ts");
