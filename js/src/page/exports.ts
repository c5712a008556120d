/** The row that copies and saves the results. */
import type { Snapshot } from "../protocol";
import type { Make } from "./dom";
import { fileStem, toCsv, toMarkdown, toPng, toSvg } from "./files";

type Content = string | Blob | Uint8Array<ArrayBuffer>;

/** Long enough for the browser to have begun to save. */
const REVOKE_AFTER_MS = 10_000;

export class ExportRow {
  readonly element: HTMLElement;
  #make: Make;
  #note: HTMLElement;
  #snapshot: Snapshot | null = null;

  /** `json`: the numbers as the kernel writes them. */
  constructor(make: Make, json: () => Promise<Uint8Array<ArrayBuffer>>, signal: AbortSignal) {
    this.#make = make;
    this.#note = make("div", { class: "tm-told", role: "status" });
    const button = (text: string, name: string, act: (snapshot: Snapshot) => Promise<void>) => {
      const element = make("button", { type: "button", "aria-label": name, title: name }, text);
      element.addEventListener("click", () => void this.#attempt(act), { signal });
      return element;
    };
    const save = (format: string, type: string, content: (snapshot: Snapshot) => Content | Promise<Content>) =>
      button(format.toUpperCase(), `Save as ${format.toUpperCase()}`, async (snapshot) => {
        this.#save(`${fileStem(snapshot)}.${format}`, new Blob([await content(snapshot)], { type }));
      });
    const { ownerDocument } = this.#note;
    this.element = make(
      "div",
      { class: "tm-export", role: "group", "aria-label": "Copy or save the results" },
      button("Copy as Markdown", "Copy as Markdown", (snapshot) => this.#copy(toMarkdown(snapshot))),
      save("png", "image/png", (snapshot) => toPng(ownerDocument, snapshot)),
      save("svg", "image/svg+xml", (snapshot) => toSvg(ownerDocument, snapshot)),
      save("csv", "text/csv", toCsv),
      save("json", "application/json", json),
      this.#note,
    );
  }

  /** There is something to save once something was measured and nothing runs. */
  draw(snapshot: Snapshot, busy: boolean): void {
    this.#snapshot = snapshot;
    this.element.hidden = busy || !snapshot.jobs.some(({ run_ms }) => run_ms.length > 0);
  }

  async #attempt(act: (snapshot: Snapshot) => Promise<void>): Promise<void> {
    if (!this.#snapshot) return;
    this.#note.replaceChildren();
    try {
      await act(this.#snapshot);
    } catch (error) {
      this.#note.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  /** The clipboard is missing on plain http, and may be refused in frames: then the text is there to be copied by hand. */
  async #copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.#note.textContent = "Copied.";
    } catch {
      const area = this.#make("textarea", { readonly: "", rows: "6", "aria-label": "The results as Markdown" });
      area.value = text;
      this.#note.replaceChildren(
        "The browser refuses the clipboard here. The text is selected: copy it with its own key.",
        area,
      );
      area.select();
    }
  }

  #save(name: string, blob: Blob): void {
    const url = URL.createObjectURL(blob);
    const link = this.#make("a", { href: url, download: name });
    this.element.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
    this.#note.textContent = `Saved as ${name}.`;
  }
}
