// The origin of a bundle, which is sent with it. Best effort.

import type { Environment } from "../config.ts";
import type { Git } from "./git.ts";

export type BundleMetadata = Record<string, string | boolean>;

export async function collectMetadata(git: Git | undefined, environment: Environment): Promise<BundleMetadata> {
  const onGitHub = environment["GITHUB_ACTIONS"] === "true";
  const metadata: Record<string, string | boolean | undefined> = {
    origin: onGitHub || environment["CI"] === "true" ? "ci" : "local_cli",
    git_commit_sha: (await git?.commit()) ?? environment["GITHUB_SHA"],
    git_ref: (await git?.branch()) ?? environment["GITHUB_REF"],
    git_author: cut(await git?.author()),
    git_subject: cut(await git?.subject()),
    git_dirty: await git?.isDirty(),
    ...(onGitHub ? gitHubRun(environment) : {}),
  };
  const known = Object.entries(metadata).filter(([, value]) => value !== undefined && value !== "");
  return Object.fromEntries(known) as BundleMetadata;
}

const textChars = 200;

/** Only for people to read, so it can be short. */
function cut(text: string | undefined): string | undefined {
  return text?.slice(0, textChars);
}

function gitHubRun(environment: Environment): Record<string, string | undefined> {
  const { GITHUB_RUN_ID: run, GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = environment;
  const isComplete = run !== undefined && server !== undefined && repository !== undefined;
  return {
    ci_provider: "github_actions",
    github_run_id: run,
    ci_run_url: isComplete ? `${server.replace(/\/+$/, "")}/${repository}/actions/runs/${run}` : undefined,
  };
}
