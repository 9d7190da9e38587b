// Copies the files of an agent's bundle that SDKs read from the working directory into the turn's workspace.

import { listSdkFiles, sdkLeftovers, type ImageCache, type SdkFile } from "@dari/builder";
import { lendFiles, type LentFiles } from "@dari/workspace";
import type { WorkerContext } from "../../context.ts";

const imagesMax = 1_000;
/** The files of each unpacked image, by its directory. An image never changes, so the list is cached. */
const listed = new WeakMap<ImageCache, Map<string, Promise<readonly SdkFile[]>>>();

/** Copies the files into the turn's directory. `removeLentFiles` removes them again. */
export async function lendBundleFiles(
  { images, workspaces }: Pick<WorkerContext, "images" | "workspaces">,
  organizationId: string,
  imageDir: string,
  slotDir: string,
): Promise<LentFiles> {
  return lendFiles(slotDir, await filesOf(images, imageDir), sdkLeftovers, workspaces.hostUserOf?.(organizationId));
}

function filesOf(images: ImageCache, imageDir: string): Promise<readonly SdkFile[]> {
  let known = listed.get(images);
  if (known === undefined) listed.set(images, (known = new Map()));
  const before = known.get(imageDir);
  if (before !== undefined) return before;
  const files = listSdkFiles(imageDir).then((found) => found.files);
  known.set(imageDir, files);
  files.catch(() => known.delete(imageDir));
  const oldest = known.keys().next();
  if (known.size > imagesMax && oldest.done !== true) known.delete(oldest.value);
  return files;
}
