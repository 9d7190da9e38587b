// For programs that run the reconciler in their own process.

export { startReconciler, type Reconciler, type ReconcilerOptions } from "./reconciler.ts";
export { reconcilerSettings } from "./config.ts";
