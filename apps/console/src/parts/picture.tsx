// A picture from a file of a session. Its bytes are loaded from the platform and shown from memory.

import { createContext, useContext, useEffect, useRef, useState } from "react";
import { useAccount } from "../data/account.ts";
import { useLoaded } from "../data/load.ts";
import { pictureType, shownBytesMax } from "../data/pictures.ts";

/** An SVG runs no code in an image element. */
export function Picture({
  content,
  type,
  name,
}: {
  readonly content: Blob;
  readonly type: string;
  readonly name: string;
}) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(content.slice(0, content.size, type));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [content, type]);
  return url === undefined ? null : <img src={url} alt={name} />;
}

const context = createContext<string | undefined>(undefined);

/** Markdown inside it can show pictures of this session's workspace. */
export const PicturesOf = context.Provider;

interface SessionPictureProps {
  readonly path: string;
  readonly label: string;
}

/** Loads the picture when it comes into view. Without a session, only its name is shown. */
export function SessionPicture({ path, label }: SessionPictureProps) {
  const sessionId = useContext(context);
  const [isSeen, setSeen] = useState(false);
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const watcher = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) setSeen(true);
    });
    if (place.current !== null) watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  const name = <span className="tag">{label === "" ? path : `${label} (${path})`}</span>;
  if (sessionId === undefined) return name;
  return (
    <span ref={place} className="picture">
      {isSeen ? <LoadedPicture {...{ sessionId, path, label }} instead={name} /> : name}
    </span>
  );
}

interface LoadedPictureProps extends SessionPictureProps {
  readonly sessionId: string;
  /** Shown if the file is missing or too large. */
  readonly instead: React.ReactNode;
}

function LoadedPicture({ sessionId, path, label, instead }: LoadedPictureProps) {
  const { client } = useAccount();
  const { value } = useLoaded(`${sessionId} ${path}`, async (signal) => {
    const range = `bytes=0-${shownBytesMax}`;
    const content = await client.getSessionFileContent(sessionId, { path }, { signal, range });
    return new Response(content as BodyInit).blob();
  });
  if (value === undefined || value.size > shownBytesMax) return instead;
  return <Picture content={value} type={pictureType(path) ?? ""} name={label === "" ? path : label} />;
}
