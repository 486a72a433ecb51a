/** E.164 with `+`. */
export const E164 = /^\+[1-9]\d{6,14}$/;

/** What a file is, by the ending of its address; providers fetch it and hold it against what they were told. */
export type MediaKind = 'image' | 'video' | 'audio' | 'sticker' | 'document';

const ENDINGS: Readonly<Record<string, MediaKind>> = {
  jpg: 'image',
  jpeg: 'image',
  png: 'image',
  webp: 'sticker',
  mp4: 'video',
  '3gp': 'video',
  '3gpp': 'video',
  aac: 'audio',
  amr: 'audio',
  m4a: 'audio',
  mp3: 'audio',
  ogg: 'audio',
  opus: 'audio',
};

/** An address without a known ending is a document: that is the only kind that takes every file. */
export function mediaKind(url: string): MediaKind {
  const ending = /\.([a-z0-9]{1,8})$/i.exec(fileName(url) ?? '')?.[1]?.toLowerCase();
  return ending !== undefined && Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending]! : 'document';
}

/** The last part of an address's path, as a person would read it; undefined when there is none. */
export function fileName(url: string): string | undefined {
  const last = URL.parse(url)?.pathname.split('/').pop();
  if (!last) return undefined;
  try {
    return decodeURIComponent(last).slice(0, 240);
  } catch {
    return last.slice(0, 240);
  }
}
