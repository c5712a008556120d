/** anywidget entry: small, because every saved notebook holds it. Pulls the page part from the kernel and mounts it. */
import { assetKey, getAsset } from "./assets";
import { KernelClient } from "./kernel";
import type { Model } from "./model";
import { runScript } from "./pageScript";
import { oncePerPage } from "./pageShared";
import { waitingText } from "./waiting";

/** What page.js leaves. */
export type Page = { mount: (client: KernelClient, el: HTMLElement, signal: AbortSignal) => void };

type Props = { model: Model; signal?: AbortSignal };

function isPage(value: unknown): value is Page {
  return typeof value === "object" && value !== null && "mount" in value && typeof value.mount === "function";
}

async function importPage(client: KernelClient, signal: AbortSignal): Promise<Page> {
  return oncePerPage(`module:${assetKey(client, "page.js")}`, isPage, async () =>
    runScript(await getAsset(client, "page.js", "text/javascript", signal), "page"),
  );
}

async function show(client: KernelClient, el: HTMLElement, signal: AbortSignal): Promise<void> {
  const note = el.ownerDocument.createElement("p");
  note.setAttribute("role", "status");
  note.style.minHeight = "1.5em";
  el.replaceChildren(note);
  const loading = new AbortController();
  client.onWaiting(
    (waiting) => {
      note.textContent = waiting ? waitingText(waiting) : "Loading the benchmark …";
    },
    AbortSignal.any([signal, loading.signal]),
  );
  try {
    const page = await importPage(client, client.closed);
    loading.abort();
    if (signal.aborted) return;
    el.replaceChildren();
    page.mount(client, el, signal);
  } catch (error) {
    loading.abort();
    if (signal.aborted) return;
    const reason = error instanceof Error ? error.message : String(error);
    note.setAttribute("role", "alert");
    const advice = "If running the cell again does not help, restart the kernel and reload the page.";
    note.textContent = `The benchmark cannot be shown: ${reason} ${client.model.get("solo") ? "" : advice}`.trim();
  }
}

export default () => {
  let client: KernelClient | null = null;
  const open = (model: Model) => {
    client ??= new KernelClient(model);
    return client;
  };
  return {
    /** Synchronous, and no message is sent: anywidget drops later messages of models that are slow here. */
    initialize({ model, signal }: Props) {
      const opened = open(model);
      const close = () => opened.close(new Error("The widget was removed."));
      signal?.addEventListener("abort", close, { once: true });
      return close;
    },
    /** anywidget before 0.11 gives no signal and wants a clean-up function. */
    render({ model, el, signal }: Props & { el: HTMLElement }) {
      const view = new AbortController();
      signal?.addEventListener("abort", () => view.abort(), { once: true });
      void show(open(model), el, view.signal);
      return () => view.abort();
    },
  };
};
