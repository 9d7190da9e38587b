// The steps of a turn, in order: accept, claim, write under the claim, finish.

export * from "./accept-message.ts";
export * from "./cancel-message.ts";
export * from "./claim-turn.ts";
export * from "./finish-turn.ts";
export * from "./write-held-turn.ts";
