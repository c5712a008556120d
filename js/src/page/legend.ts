/** The medians of several contenders as bars with their intervals; a row is a button that hides its series. */
import { formatMs, formatRange } from "../format";
import { type MedianBar, medianBars } from "../plot/medianBars";
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
    const bars = medianBars(series);
    const rows = series.map((one, i) => this.#make("li", {}, this.#row(one, bars[i] ?? null)));
    this.element.hidden = series.length < 2;
    redraw(this.element, rows);
  }

  #row(series: Series, bar: MedianBar | null): HTMLElement {
    const make = this.#make;
    const { median, interval } = summarize(series.runMs);
    const track = make("span", { class: "tm-track", "aria-hidden": "true" });
    if (bar) {
      track.append(make("span", { class: "tm-bar", style: `width:${100 * bar.length}%;background:${series.color}` }));
    }
    if (bar?.interval) {
      const [low, high] = bar.interval;
      track.append(make("span", { class: "tm-interval", style: `left:${100 * low}%;width:${100 * (high - low)}%` }));
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
