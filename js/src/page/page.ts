/** Shows a widget model in an element. */
import type { KernelClient } from "../kernel";
import { sessionOf } from "./session";
import { BenchmarkView } from "./view";

export function mount(client: KernelClient, el: HTMLElement, signal: AbortSignal): void {
  hideStatic(el.ownerDocument, String(client.model.get("widget_id")), signal);
  new BenchmarkView(sessionOf(client), el, signal);
}

/**
 * Hide the saved picture and table of a widget while it is alive. A style rule, since the notebook may draw that
 * output before or after this view, and again later; JupyterLab's wrapper goes with it, for it has padding.
 */
function hideStatic(document: Document, widgetId: string, signal: AbortSignal): void {
  const target = `.tfjs-magic-static[data-widget="${CSS.escape(widgetId)}"]`;
  const style = document.createElement("style");
  style.textContent = `${target}, .jp-OutputArea-child:has(${target}) { display: none !important; }`;
  document.head.append(style);
  signal.addEventListener("abort", () => style.remove(), { once: true });
}
