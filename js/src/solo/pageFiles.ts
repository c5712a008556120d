/** The files of the page: in blocks of the page itself, or beside it. */
import { crc32 } from "../crc32";
import type { PageData, PageFile } from "./pageData";

export type FileSource = (file: PageFile) => Promise<Uint8Array<ArrayBuffer>>;

/** Shards that a piece of the weights may need again. */
const KEPT_SHARDS = 2;

/** Reads blocks where the page has them, else what lies beside it. */
export function pageFiles(document: Document): FileSource {
  const blocks = new Map(
    [...document.querySelectorAll<HTMLScriptElement>("script[data-file]")].map((block) => [
      block.dataset["file"] ?? "",
      block,
    ]),
  );
  return async ({ path }) => {
    const block = blocks.get(path);
    return block ? decoded(block.text) : fetched(path);
  };
}

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function fetched(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(path);
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`'${path}' cannot be read (${reason}). It belongs beside this page: copy the whole directory.`);
  }
}

/** Weight bytes by offset, out of shards that are checked as they arrive. */
export class Weights {
  #shards: PageData["shards"];
  #source: FileSource;
  #kept = new Map<string, Promise<Uint8Array>>();

  constructor(shards: PageData["shards"], source: FileSource) {
    this.#shards = shards;
    this.#source = source;
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const piece = new Uint8Array(length);
    let start = 0;
    for (const shard of this.#shards) {
      const [from, to] = [Math.max(offset, start), Math.min(offset + length, start + shard.nbytes)];
      if (from < to) piece.set((await this.#shard(shard)).subarray(from - start, to - start), from - offset);
      start += shard.nbytes;
    }
    return piece;
  }

  #shard(shard: PageData["shards"][number]): Promise<Uint8Array> {
    const kept = this.#kept.get(shard.path) ?? this.#checked(shard);
    this.#kept.delete(shard.path);
    this.#kept.set(shard.path, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_SHARDS && oldest !== undefined) this.#kept.delete(oldest);
    kept.catch(() => this.#kept.delete(shard.path));
    return kept;
  }

  async #checked(shard: PageData["shards"][number]): Promise<Uint8Array> {
    const bytes = await this.#source(shard);
    if (bytes.length !== shard.nbytes || crc32(bytes) !== shard.crc32) {
      const found = bytes.length === shard.nbytes ? "other bytes" : `${bytes.length} bytes`;
      throw new Error(`'${shard.path}' holds ${found}; the page was made with ${shard.nbytes}. Copy it again.`);
    }
    return bytes;
  }
}
