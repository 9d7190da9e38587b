// A preview of a file: images as images, everything else as text, never as a web page. An agent's file must not run
// code in the console.

import type { DirectoryEntry } from "@dari/contract";
import { useEffect, useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { sizeText } from "../../data/format.ts";
import { useLoaded } from "../../data/load.ts";
import { pictureType, shownBytesMax } from "../../data/pictures.ts";
import { saveAs } from "../../data/save-as.ts";
import { Log } from "../../parts/log.tsx";
import { Picture } from "../../parts/picture.tsx";
import { FileText, viewOf } from "../../rich/rich-text.tsx";
import { ErrorNote, Loading } from "../../parts/notes.tsx";

/** Longer texts are shown as they are. */
const richCharsMax = 500_000;

interface PreviewProps {
  readonly sessionId: string;
  readonly entry: DirectoryEntry;
  readonly version: string;
  readonly onClose: () => void;
}

export function Preview({ sessionId, entry: { path, size_bytes: size }, version, onClose }: PreviewProps) {
  const { client } = useAccount();
  const name = path.slice(path.lastIndexOf("/") + 1);
  const download = useAction(async () => saveAs(name, await client.getSessionFileContent(sessionId, { path })));
  const isSmall = (size ?? 0) <= shownBytesMax;
  const content = useLoaded(`${path} ${version}`, async (signal) => {
    if (!isSmall) return undefined;
    return new Response((await client.getSessionFileContent(sessionId, { path }, { signal })) as BodyInit).blob();
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && document.querySelector("dialog[open]") === null) onClose();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [onClose]);
  // The preview takes the place of the conversation, which is shown again where it was.
  useEffect(() => {
    const place = scrollY;
    scrollTo(0, 0);
    return () => scrollTo(0, place);
  }, []);
  return (
    <section className="preview" aria-label={`Preview of ${path}`}>
      <header>
        <strong>{path}</strong> <span className="faint">{sizeText(size)}</span>
        <span className="actions">
          <button type="button" className="quiet" onClick={download.run} disabled={download.isRunning}>
            Download
          </button>
          <button type="button" className="quiet" onClick={onClose} aria-label="Close the preview" title="Esc">
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

function endingOf(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1).toLowerCase();
}

function Shown({ name, content }: { readonly name: string; readonly content: Blob }) {
  const type = pictureType(name);
  if (type === undefined) return <Text content={content} name={name} />;
  return <Picture content={content} type={type} name={name} />;
}

function Text({ content, name }: { readonly content: Blob; readonly name: string }) {
  const [text, setText] = useState<string>();
  const [isRaw, setRaw] = useState(false);
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
  const ending = endingOf(name);
  const view = viewOf(ending);
  if (view === undefined || text === "" || text.length > richCharsMax)
    return <Log text={text} label={`Content of ${name}`} empty="An empty file." />;
  return (
    <>
      {view !== "code" && (
        <label className="inline-choice">
          <input type="checkbox" checked={isRaw} onChange={(event) => setRaw(event.target.checked)} />
          Source
        </label>
      )}
      {isRaw ? (
        <Log text={text} label={`Content of ${name}`} />
      ) : (
        <div className="file-text" role="region" tabIndex={0} aria-label={`Content of ${name}`}>
          <FileText text={text} ending={ending} view={view} />
        </div>
      )}
    </>
  );
}
