// The standalone platform's interface for other parts of the repository.

export { standaloneSettings } from "./config.ts";
