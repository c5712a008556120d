/** Files that another frame of this origin holds: a front end may have a frame for each output, as Colab does. */
const CHANNEL = "tfjs_magic.files.1";
/** A frame that is there answers within milliseconds, unless it computes. */
const PATIENCE_MS = 250;

type Message = { want?: unknown; have?: unknown; file?: unknown };

/** Answer those who ask for a file by its sha256. */
export function shareFiles(files: Map<string, Promise<unknown>>): void {
  const channel = openChannel();
  if (!channel) return;
  channel.onmessage = async ({ data }: MessageEvent<Message>) => {
    const file = typeof data.want === "string" ? await files.get(data.want)?.catch(() => undefined) : undefined;
    if (file instanceof Blob) channel.postMessage({ have: data.want, file });
  };
}

/** A file by its sha256, if another frame has it. */
export function siblingsFile(sha256: string): Promise<Blob | undefined> {
  const channel = openChannel();
  if (!channel) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const end = (file?: Blob) => {
      channel.close();
      resolve(file);
    };
    const timer = setTimeout(end, PATIENCE_MS);
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.have !== sha256 || !(data.file instanceof Blob)) return;
      clearTimeout(timer);
      end(data.file);
    };
    channel.postMessage({ want: sha256 });
  });
}

/** None where there are no siblings, or the browser's settings let this frame keep nothing. */
function openChannel(): BroadcastChannel | null {
  if (typeof window === "undefined" || window.parent === window) return null;
  try {
    return new BroadcastChannel(CHANNEL);
  } catch {
    return null;
  }
}
