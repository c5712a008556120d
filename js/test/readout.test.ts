// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { maker } from "../src/page/dom";
import { Readout } from "../src/page/readout";
import { latencyPlot } from "../src/plot/latencyPlot";
import type { Series } from "../src/plot/series";
import { series } from "./plotted";

const SIZE = { width: 640, height: 260 };
const CPU = series({ firstMs: 9, warmupMs: [6], runMs: [5, 5.5, 4.9] });
const WASM = series({ job: 2, label: "wasm", runMs: [3, 3.1] });

function open(...all: Series[]) {
  const readout = new Readout(maker(document), SIZE.height, new AbortController().signal);
  const draw = (...shown: Series[]) => {
    const plot = latencyPlot(document, shown, SIZE);
    readout.show(plot);
    return plot;
  };
  const plot = draw(...all);
  const { element } = readout;
  const tip = element.querySelector<HTMLElement>(".tm-tip");
  const press = (...keys: string[]) => {
    for (const key of keys) element.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
    return element.querySelector('[role="status"]')?.textContent;
  };
  const point = (type: string, clientX: number, clientY: number) => {
    element.dispatchEvent(new MouseEvent(type, { clientX, clientY }));
    return tip?.hidden ? null : tip?.textContent;
  };
  return { plot, draw, press, point, element, shown: () => (tip?.hidden ? null : tip?.textContent) };
}

describe("by keys", () => {
  it("goes through the runs and says model, backend, run and latency", () => {
    const { press } = open(CPU, WASM);
    expect(press("ArrowRight")).toBe("cpu, run 1: 5 ms");
    expect(press("ArrowRight")).toBe("cpu, run 2: 5.5 ms");
    expect(press("ArrowRight", "ArrowRight", "ArrowRight")).toBe("cpu, run 3: 4.9 ms");
    expect(press("Home")).toBe("cpu, first run: 9 ms");
    expect(press("ArrowLeft")).toBe("cpu, first run: 9 ms");
    expect(press("ArrowRight")).toBe("cpu, warm-up 1: 6 ms");
    expect(press("End")).toBe("cpu, run 3: 4.9 ms");
  });

  it("goes from series to series, to the same run where there is one", () => {
    const { press } = open(CPU, WASM);
    expect(press("ArrowDown", "ArrowRight", "ArrowDown")).toBe("wasm, run 2: 3.1 ms");
    expect(press("ArrowDown")).toBe("cpu, run 2: 5.5 ms");
    expect(press("End", "ArrowUp")).toBe("wasm, run 2: 3.1 ms");
  });

  it("leaves other keys alone, and Escape where nothing is read out", () => {
    const { element, press, shown } = open(CPU);
    const prevented = (key: string) => {
      const event = new KeyboardEvent("keydown", { key, cancelable: true });
      element.dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect([prevented("Tab"), prevented("a"), prevented("Escape")]).toEqual([false, false, false]);
    press("ArrowRight");
    expect(prevented("Escape")).toBe(true);
    expect(shown()).toBeNull();
  });

  it("says nothing where nothing is plotted", () => {
    expect(open().press("ArrowRight", "ArrowDown", "Home", "End")).toBe("");
  });
});

it("reads out what is next to the pointer, and nothing far from everything", () => {
  const { plot, point } = open(CPU, WASM);
  const run = plot.points.find(({ series: one, phase }) => one.label === "wasm" && phase === "run");
  if (!run) throw new Error("no run is plotted");
  expect(point("pointermove", run.x + 3, run.y - 3)).toBe("wasm, run 1: 3 ms");
  expect(point("pointerdown", run.x, run.y)).toBe("wasm, run 1: 3 ms");
  expect(point("pointermove", 1e4, 1e4)).toBeNull();
});

it("stays where it is while the plot is drawn anew, and goes with its series", () => {
  const { press, draw, shown } = open(CPU, WASM);
  press("ArrowRight", "ArrowDown");
  draw(CPU, { ...WASM, runMs: [3, 3.1, 3.2] });
  expect(shown()).toBe("wasm, run 1: 3 ms");
  expect(press("End")).toBe("wasm, run 3: 3.2 ms");
  draw(CPU);
  expect(shown()).toBeNull();
});
