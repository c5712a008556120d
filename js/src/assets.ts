/** The kernel's static files, each pulled once per page, and from another frame where one has it. */
import { parseAssets } from "./guards";
import type { KernelClient } from "./kernel";
import { oncePerPage } from "./pageShared";
import { abortable } from "./promises";
import { siblingsFile } from "./siblings";

const isBlob = (value: unknown): value is Blob => value instanceof Blob;

/** Key of a file in the page's cache; the name where an old kernel gives no hash. */
export function assetKey(client: KernelClient, name: string): string {
  return parseAssets(client.model.get("assets"))[name] ?? name;
}

/** A file of tfjs_magic/static/, unpacked. gzip's own checksum guards the bytes. */
export function getAsset(client: KernelClient, name: string, type: string, signal: AbortSignal): Promise<Blob> {
  const key = assetKey(client, name);
  const blob = oncePerPage(key, isBlob, async () => {
    const shared = key === name ? undefined : await siblingsFile(key);
    if (shared) return shared;
    const { message, buffers } = await client.request({ kind: "get_asset", name }, { signal });
    const bytes = buffers[0];
    if (!bytes) throw new Error(`The kernel sent no bytes for '${name}'. Reinstall tfjs_magic.`);
    const sent = new Blob([bytes], { type });
    if (message.encoding === "identity") return sent;
    const stream = sent.stream().pipeThrough(new DecompressionStream("gzip"));
    return new Blob([await new Response(stream).arrayBuffer()], { type });
  });
  return abortable(blob, signal);
}
