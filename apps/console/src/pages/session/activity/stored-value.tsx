// Values that are stored beside the events of a tool call: the whole of what an event has cut, pictures, other files.

import { createContext, useContext, useState } from "react";
import { useAccount } from "../../../data/account.ts";
import { useAction } from "../../../data/action.ts";
import { sizeText } from "../../../data/format.ts";
import { useLoaded } from "../../../data/load.ts";
import { shownBytesMax } from "../../../data/pictures.ts";
import { saveAs } from "../../../data/save-as.ts";
import { isPicture, type StoredPart } from "../../../data/stored-values.ts";
import { ErrorNote, Loading } from "../../../parts/notes.tsx";
import { Picture } from "../../../parts/picture.tsx";

const context = createContext("");

/** The message whose values are below it. */
export const ValuesOf = context.Provider;

/** Larger texts can only be downloaded. */
const textBytesMax = 1_000_000;

interface WholeProps {
  readonly valueId: string;
  readonly bytes: number;
  readonly filename: string;
  readonly onText: (text: string) => void;
}

/** Buttons that show or download the whole of a text that an event has cut. */
export function WholeText({ valueId, bytes, filename, onText }: WholeProps) {
  const { client } = useAccount();
  const messageId = useContext(context);
  const [isShown, setShown] = useState(false);
  const show = useAction(async () => {
    onText(await new Response((await client.getMessageValue(messageId, valueId)) as BodyInit).text());
    setShown(true);
  });
  return (
    <>
      {bytes <= textBytesMax && !isShown && (
        <button type="button" className="quiet" onClick={show.run} disabled={show.isRunning}>
          Show all
        </button>
      )}
      <DownloadButton valueId={valueId} filename={filename} />
      <ErrorNote error={show.error} />
    </>
  );
}

function DownloadButton({ valueId, filename }: Pick<WholeProps, "valueId" | "filename">) {
  const { client } = useAccount();
  const messageId = useContext(context);
  const download = useAction(async () => saveAs(filename, await client.getMessageValue(messageId, valueId)));
  return (
    <>
      <button type="button" className="quiet" onClick={download.run} disabled={download.isRunning}>
        Download
      </button>
      <ErrorNote error={download.error} />
    </>
  );
}

export function Part({ part }: { readonly part: StoredPart }) {
  return (
    <div className="stored">
      <p className="faint">
        {part.mediaType} · {sizeText(part.sizeBytes)}{" "}
        <DownloadButton valueId={part.id} filename={`${part.id}.${part.mediaType.replace(/^.*\/|\W.*$/g, "")}`} />
      </p>
      {isPicture(part) && part.sizeBytes <= shownBytesMax && <PartPicture part={part} />}
    </div>
  );
}

function PartPicture({ part: { id, mediaType } }: { readonly part: StoredPart }) {
  const { client } = useAccount();
  const messageId = useContext(context);
  const { value, error, reload } = useLoaded(id, async (signal) =>
    new Response((await client.getMessageValue(messageId, id, { signal })) as BodyInit).blob(),
  );
  if (value === undefined) return error === undefined ? <Loading /> : <ErrorNote error={error} retry={reload} />;
  return <Picture content={value} type={mediaType} name="A picture that the tool returned" />;
}
