// For programs that run the reconciler in their own process.

export { startReconciler } from "./reconciler.ts";
export { reconcilerSettings } from "./config.ts";
