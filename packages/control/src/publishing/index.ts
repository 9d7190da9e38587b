// From uploaded source to a built version: source snapshots, bundles, versions and builds.

export { createAgent } from "./agents/create-agent.ts";
export { deleteAgent } from "./agents/delete-agent.ts";
export { findAgentIdsByName, getAgent, listDescribedAgents } from "./agents/get-agent.ts";
export { listAgents } from "./agents/list-agents.ts";
export { renameAgent } from "./agents/rename-agent.ts";
export {
  buildLeaseMs,
  claimBuild,
  createBuildLog,
  finishBuild,
  postponeBuild,
  releaseBuild,
  renewBuild,
  type BuildContext,
} from "./builds/hold-build.ts";
export { createDependencyLayerRegistry } from "./builds/dependency-layer-registry.ts";
export { readBuildLogs } from "./builds/read-build-logs.ts";
export { settleBuildWaiters } from "./builds/settle-build-waiters.ts";
export { bundleKey } from "./bundles/bundle-key.ts";
export { getVersionBundle, getVersionBundleFile } from "./bundles/read-version-bundle.ts";
export { createSourceSnapshot } from "./source-snapshots/create-source-snapshot.ts";
export { deleteSourceSnapshot } from "./source-snapshots/delete-source-snapshot.ts";
export { finalizeSourceSnapshot } from "./source-snapshots/finalize-source-snapshot.ts";
export { getSourceSnapshotManifest } from "./source-snapshots/get-manifest.ts";
export { getSourceSnapshot } from "./source-snapshots/get-source-snapshot.ts";
export { uploadBundle } from "./source-snapshots/upload-bundle.ts";
export { activateVersion } from "./versions/activate-version.ts";
export { createVersion } from "./versions/create-version.ts";
export { getAgentPublication, getVersionPublication } from "./versions/get-publication.ts";
export { getVersion } from "./versions/get-version.ts";
export { listVersions } from "./versions/list-versions.ts";
