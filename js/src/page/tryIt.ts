/** "Try it": a picture of the reader's, which never leaves the page, and what the model makes of it. */
import { formatMs } from "../format";
import type { KernelClient } from "../kernel";
import type { BackendName } from "../protocol";
import { toWireError } from "../wireError";
import type { Make } from "./dom";
import { redraw } from "./dom";
import { drawn, PIXELS, type PictureInput, type Pixels, parsePictures, pictureFeed } from "./pictureInput";
import { type Answered, PictureRun } from "./pictureRun";
import type { View } from "./session";
import { errorBox } from "./table";
import { type Top, topOutputs } from "./topOutputs";

/** A section for each model that takes a picture. */
export class TryIt {
  readonly element: HTMLElement;
  #panels: TryPanel[];

  constructor(make: Make, client: KernelClient, signal: AbortSignal) {
    const pictures = parsePictures(client.model.get("pictures"));
    this.#panels = pictures.flatMap((picture, model) =>
      picture ? [new TryPanel(make, picture, model, new PictureRun(client, model, signal), signal)] : [],
    );
    this.element = make("div", {}, ...this.#panels.map(({ element }) => element));
  }

  draw(view: View): void {
    for (const panel of this.#panels) panel.draw(view);
  }
}

class TryPanel {
  readonly element: HTMLElement;
  #make: Make;
  #picture: PictureInput;
  #model: number;
  #run: PictureRun;
  #title: HTMLElement;
  #canvas: HTMLCanvasElement;
  #file: HTMLInputElement;
  #pixels: HTMLSelectElement;
  #status: HTMLElement;
  #found: HTMLElement;
  #backend: BackendName | null = null;
  #busy = false;
  #image: ImageData | null = null;

  constructor(make: Make, picture: PictureInput, model: number, run: PictureRun, signal: AbortSignal) {
    const { dtype, shape, pixels } = picture;
    this.#make = make;
    this.#picture = picture;
    this.#model = model;
    this.#run = run;
    this.#title = make("strong", {}, "Try it");
    this.#canvas = make("canvas", { class: "tm-seen", role: "img", "aria-label": "The picture as the model sees it" });
    this.#canvas.hidden = true;
    this.#file = make("input", { type: "file", accept: "image/*", "aria-label": "Choose a picture" });
    const ranges = dtype === "int32" ? (["0..255"] as const) : PIXELS;
    this.#pixels = make("select", {}, ...ranges.map((range) => make("option", { value: range }, range)));
    this.#pixels.value = ranges.find((range) => range === pixels) ?? ranges[0];
    this.#status = make("p", { role: "status" });
    this.#found = make("div");
    const alone = shape[3] === 1 ? ", of its red channel alone" : "";
    const how = `The model sees it as ${shape[2]} × ${shape[1]} pixels${alone}. It never leaves this page.`;
    this.element = make(
      "div",
      { class: "tm-try", role: "group", "aria-label": "Try it" },
      make("p", {}, this.#title),
      make(
        "div",
        { class: "tm-drop" },
        this.#canvas,
        make("label", { class: "tm-choose" }, this.#file, "Choose a picture …"),
        make("span", { class: "tm-hint" }, "or drop one here"),
        make("label", { class: "tm-range" }, "Pixels ", this.#pixels),
      ),
      make("p", { class: "tm-quiet" }, how),
      this.#status,
      this.#found,
    );
    this.#listen(signal);
  }

  draw({ snapshot, activity }: View): void {
    const label = snapshot.models[this.#model]?.label ?? "";
    this.#title.textContent = snapshot.models.length > 1 ? `Try ${label}` : "Try it";
    const jobs = snapshot.jobs.filter(({ job }) => job.model === this.#model);
    const job = jobs.find(({ status }) => status === "done") ?? jobs[0];
    this.#backend = job?.actual ?? job?.job.backend ?? null;
    const busy = activity !== "idle";
    if (busy && !this.#busy) void this.#run.stop();
    this.#busy = busy;
    this.#file.disabled = busy;
    this.#pixels.disabled = busy;
    this.element.toggleAttribute("data-busy", busy);
  }

  #listen(signal: AbortSignal): void {
    const options = { signal };
    this.#file.addEventListener("change", () => this.#take(this.#file.files?.[0]), options);
    this.#pixels.addEventListener("change", () => this.#image && void this.#show(this.#image), options);
    for (const type of ["dragenter", "dragover", "dragleave", "drop"] as const) {
      this.element.addEventListener(type, (event) => this.#dragged(event), options);
    }
  }

  /** What is dropped beside the panel would take the browser away from the page. */
  #dragged(event: DragEvent): void {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    this.element.toggleAttribute("data-over", !this.#busy && (event.type === "dragenter" || event.type === "dragover"));
    if (event.type === "drop" && !this.#busy) this.#take(event.dataTransfer.files[0]);
  }

  #take(file: File | undefined): void {
    if (file) void this.#read(file);
    // The same file again is a change, too.
    this.#file.value = "";
  }

  async #read(file: File): Promise<void> {
    const image = this.#make("img");
    image.src = URL.createObjectURL(file);
    try {
      await image.decode();
      this.#image = drawn(this.#canvas, image, this.#picture);
      this.#canvas.hidden = false;
    } catch {
      this.#tell("", new Error(`'${file.name}' is no picture that this browser reads.`));
      return;
    } finally {
      URL.revokeObjectURL(image.src);
    }
    await this.#show(this.#image);
  }

  async #show(image: ImageData): Promise<void> {
    const feed = pictureFeed(image, this.#picture, this.#pixels.value as Pixels);
    try {
      const answered = await this.#run.run(feed, this.#backend, (text) => this.#tell(text));
      if (image === this.#image) this.#answer(answered);
    } catch (error) {
      this.#tell("", error);
    }
  }

  #tell(text: string, error?: unknown): void {
    this.#status.textContent = text;
    redraw(this.#found, error === undefined ? [] : [errorBox(this.#make, { ...toWireError(error), stack: "" })]);
  }

  #answer({ outputs, latencyMs, backend }: Answered): void {
    const top = topOutputs(outputs, this.#picture.class_names);
    if (!top) {
      this.#tell(`It ran in ${formatMs(latencyMs)} on ${backend}. No output is a list of numbers that could be shown.`);
      return;
    }
    const [first] = top.rows;
    const most = first ? `: ${first.name}, ${valueText(first.value, top)}` : "";
    this.#tell(`'${top.output}' in ${formatMs(latencyMs)} on ${backend}${most}`);
    redraw(this.#found, [topTable(this.#make, top)]);
  }
}

function valueText(value: number, { shares }: Top): string {
  return shares ? `${(100 * value).toFixed(1)} %` : String(Number(value.toPrecision(4)));
}

function topTable(make: Make, top: Top): HTMLElement {
  const largest = top.shares ? 1 : Math.max(...top.rows.map(({ value }) => Math.abs(value)));
  const rows = top.rows.map(({ name, value }) => {
    const share = largest > 0 && value > 0 ? value / largest : 0;
    const bar = make("span", { class: "tm-top-bar", style: `width: ${(100 * share).toFixed(1)}%` });
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      make("td", { class: "tm-top-track", "aria-hidden": "true" }, bar),
      make("td", {}, valueText(value, top)),
    );
  });
  const caption = make("caption", { class: "tm-hidden" }, `Largest values of '${top.output}'`);
  return make("table", { class: "tm-top" }, caption, make("tbody", {}, ...rows));
}
