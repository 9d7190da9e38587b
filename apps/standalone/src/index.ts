// What other parts of the repository may know of the standalone platform.

export { standaloneSettings } from "./config.ts";
