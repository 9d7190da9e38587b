// What other programs start in their own process.

export { startApi, type RunningApi } from "./server.ts";
export { apiSettings, checkOidcSettings, readOidcSettings } from "./config.ts";
