/** The medians of several contenders as bars with their intervals; a row is a button that hides its series. */
import { formatMs, formatRange } from "../format";
import { type Series, seriesOf } from "../plot/series";
import { swatch } from "../plot/swatch";
import type { Snapshot } from "../protocol";
import { summarize } from "../stats";
import { type Make, redraw } from "./dom";

export class Legend {
  readonly element: HTMLElement;
  /** Jobs that the plot leaves out. */
  readonly hidden = new Set<number>();
  #make: Make;
  #onToggle: () => void;

  constructor(make: Make, onToggle: () => void) {
    this.#make = make;
    this.#onToggle = onToggle;
    this.element = make("ul", { class: "tm-legend", "aria-label": "Medians; press to hide or show in the plot" });
  }

  draw(snapshot: Snapshot): void {
    const series = seriesOf(snapshot);
    const summaries = series.map(({ runMs }) => summarize(runMs));
    const longest = Math.max(...summaries.map(({ median, interval }) => Math.max(median ?? 0, interval?.[1] ?? 0)));
    const share = (ms: number) => (longest > 0 ? (100 * ms) / longest : 0);
    const rows = series.map((one, i) => {
      const { median = null, interval = null } = summaries[i] ?? {};
      return this.#make("li", {}, this.#row(one, median, interval, share));
    });
    this.element.hidden = series.length < 2;
    redraw(this.element, rows);
  }

  #row(
    series: Series,
    median: number | null,
    interval: [low: number, high: number] | null,
    share: (ms: number) => number,
  ): HTMLElement {
    const make = this.#make;
    const track = make("span", { class: "tm-track", "aria-hidden": "true" });
    if (median !== null) {
      track.append(make("span", { class: "tm-bar", style: `width:${share(median)}%;background:${series.color}` }));
    }
    if (interval) {
      const [low, high] = interval.map(share) as [number, number];
      track.append(make("span", { class: "tm-interval", style: `left:${low}%;width:${high - low}%` }));
    }
    const title = interval
      ? `Median ${formatMs(median)}; with a confidence of 95 % it lies in ${formatRange(...interval)}. `
      : "";
    const row = make(
      "button",
      {
        type: "button",
        "aria-pressed": String(!this.hidden.has(series.job)),
        title: `${title}Press to hide or show it in the plot.`,
      },
      swatch(make("span").ownerDocument, series),
      make("span", { class: "tm-name" }, series.label),
      track,
      make("span", { class: "tm-value" }, formatMs(median)),
    );
    row.addEventListener("click", () => {
      if (!this.hidden.delete(series.job)) this.hidden.add(series.job);
      this.#onToggle();
    });
    return row;
  }
}
