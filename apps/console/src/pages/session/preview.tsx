// A preview of a file: images as images, everything else as text, never as a web page. An agent's file must not run
// code in the console.

import type { DirectoryEntry } from "@dari/contract";
import { useEffect, useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { sizeText } from "../../data/format.ts";
import { useLoaded } from "../../data/load.ts";
import { saveAs } from "../../data/save-as.ts";
import { Log } from "../../parts/log.tsx";
import { ErrorNote, Loading } from "../../parts/notes.tsx";

/** The most bytes of a preview. Larger files can only be downloaded. */
const previewMax = 5_000_000;

const pictures: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
};

interface PreviewProps {
  readonly sessionId: string;
  readonly entry: DirectoryEntry;
  readonly version: string;
  readonly onClose: () => void;
}

export function Preview({ sessionId, entry: { path, size_bytes: size }, version, onClose }: PreviewProps) {
  const { client } = useAccount();
  const name = path.slice(path.lastIndexOf("/") + 1);
  const download = useAction(async () => saveAs(name, await client.readSessionFile(sessionId, path)));
  const isSmall = (size ?? 0) <= previewMax;
  const content = useLoaded(`${path} ${version}`, async (signal) => {
    if (!isSmall) return undefined;
    return new Response((await client.readSessionFile(sessionId, path, { signal })) as BodyInit).blob();
  });
  return (
    <section className="preview" aria-label={`Preview of ${path}`}>
      <header>
        <strong>{path}</strong> <span className="faint">{sizeText(size)}</span>
        <span className="actions">
          <button type="button" className="quiet" onClick={download.run} disabled={download.isRunning}>
            Download
          </button>
          <button type="button" className="quiet" onClick={onClose} aria-label="Close the preview">
            Close
          </button>
        </span>
      </header>
      <ErrorNote error={content.error ?? download.error} />
      {!isSmall && <p className="faint">Too large to show.</p>}
      {isSmall && content.error === undefined && content.value === undefined && <Loading />}
      {content.value && <Shown name={name} content={content.value} />}
    </section>
  );
}

function Shown({ name, content }: { readonly name: string; readonly content: Blob }) {
  const type = pictures[name.slice(name.lastIndexOf(".") + 1).toLowerCase()];
  if (type === undefined) return <Text content={content} name={name} />;
  return <Picture content={content} type={type} name={name} />;
}

/** An SVG runs no code in an image element. */
function Picture({ content, type, name }: { readonly content: Blob; readonly type: string; readonly name: string }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(content.slice(0, content.size, type));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [content, type]);
  return url === undefined ? null : <img src={url} alt={name} />;
}

function Text({ content, name }: { readonly content: Blob; readonly name: string }) {
  const [text, setText] = useState<string>();
  useEffect(() => {
    let isCurrent = true;
    content.text().then(
      (read) => isCurrent && setText(read),
      () => undefined,
    );
    return () => {
      isCurrent = false;
    };
  }, [content]);
  if (text === undefined) return <Loading />;
  if (text.includes("\0")) return <p className="faint">Not text. Download it to look inside.</p>;
  return <Log text={text} label={`Content of ${name}`} empty="An empty file." />;
}
