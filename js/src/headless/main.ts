/** Entry of headless.js: the widget on an empty page, driven by WebDriver scripts. */
import widget from "../widget";
import { Bridge } from "./bridge";

/** Nothing is fetched: scripts and the worker come through the driver, and live in blobs. */
const POLICY = [
  "default-src 'none'",
  "script-src blob: 'wasm-unsafe-eval'",
  "worker-src blob:",
  "connect-src blob: data:",
  "img-src blob: data:",
  "style-src 'unsafe-inline'",
].join("; ");

function clearPage(): HTMLElement {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = POLICY;
  const title = document.createElement("title");
  title.textContent = "tfjs_magic";
  const el = document.createElement("main");
  document.head.replaceChildren(meta, title);
  document.body.replaceChildren(el);
  return el;
}

const model = new Bridge();

Object.assign(globalThis, {
  /** What tfjs_magic/headless/channel.py calls. */
  tfjsMagic: {
    put: (base64: string, last: boolean) => model.put(base64, last),
    /** The file that was chosen holds a buffer. */
    takeFile: async ({ files }: HTMLInputElement) =>
      model.take(new Uint8Array((await files?.[0]?.arrayBuffer()) ?? new ArrayBuffer(0))),
    exchange: (brought: string, waitMs: number) => model.exchange(brought, waitMs),
    /** To be called once the first exchange has brought the traits. */
    show: () => {
      const { initialize, render } = widget();
      initialize({ model });
      render({ model, el: clearPage() });
    },
  },
});
