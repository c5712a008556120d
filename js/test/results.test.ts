// @vitest-environment jsdom
/** What a reader does with results: hide, choose again, copy, save. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { RunControls } from "../src/page/controls";
import { maker } from "../src/page/dom";
import { ExportRow } from "../src/page/exports";
import { fileStem, toCsv, toMarkdown } from "../src/page/files";
import { Legend } from "../src/page/legend";
import type { Environment, Snapshot } from "../src/protocol";
import { job, snapshotOf } from "./plotted";

const make = maker(document);
const NEVER = new AbortController().signal;
const RUNS = Array.from({ length: 30 }, (_, i) => 10 + i / 10);
const TWO = snapshotOf([
  job("wasm", RUNS),
  job(
    "cpu",
    RUNS.map((ms) => 3 * ms),
  ),
]);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the legend", () => {
  it("is for several series only", () => {
    const legend = new Legend(make, () => undefined);
    legend.draw(snapshotOf([job("wasm", RUNS)]));
    expect(legend.element.hidden).toBe(true);
    legend.draw(TWO);
    expect(legend.element.hidden).toBe(false);
  });

  it("shows medians to scale with their intervals, and hides a series by its row", () => {
    const toggled = vi.fn();
    const legend = new Legend(make, toggled);
    legend.draw(TWO);
    const rows = () => [...legend.element.querySelectorAll("button")];
    const width = (row?: Element) => Number.parseFloat(row?.querySelector<HTMLElement>(".tm-bar")?.style.width ?? "");
    expect(width(rows()[1]) / width(rows()[0])).toBeCloseTo(3);
    expect(legend.element.querySelectorAll(".tm-interval")).toHaveLength(2);
    expect(rows().map((row) => row.textContent)).toEqual(["wasm11.4 ms", "cpu34.4 ms"]);
    rows()[1]?.click();
    expect(toggled).toHaveBeenCalledOnce();
    legend.draw(TWO);
    expect(rows().map((row) => row.getAttribute("aria-pressed"))).toEqual(["true", "false"]);
    expect([...legend.hidden]).toEqual([1]);
    rows()[1]?.click();
    expect([...legend.hidden]).toEqual([]);
  });
});

describe("the choice of another run", () => {
  function open(snapshot: Snapshot = TWO) {
    const controls = new RunControls(make, NEVER);
    controls.draw(snapshot, false);
    const inputs = [...controls.element.querySelectorAll("input")];
    const set = (name: string, checked: boolean) => {
      const box = inputs.find(({ value }) => value === name);
      if (box) box.checked = checked;
      box?.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const runs = inputs.find(({ type }) => type === "number");
    const type = (value: string) => {
      if (runs) runs.value = value;
      runs?.dispatchEvent(new Event("input", { bubbles: true }));
    };
    return { controls, inputs, set, type };
  }

  it("begins with what the cell asked for, which is no choice", () => {
    const { controls, inputs } = open();
    expect(inputs.filter(({ checked }) => checked).map(({ value }) => value)).toEqual(["wasm", "cpu"]);
    expect(inputs.at(-1)?.value).toBe("30");
    expect(controls.choice).toBeNull();
  });

  it("is kept while results come in, and may leave things to the cell", () => {
    const { controls, set, type } = open();
    set("cpu", false);
    type("12");
    controls.draw(snapshotOf([job("webgl", [1])]), false);
    expect(controls.choice).toEqual({ backends: ["wasm"], runs: 12 });
    set("wasm", false);
    type("");
    expect(controls.choice).toEqual({ backends: [], runs: null });
  });

  it("is checked before the kernel is asked", () => {
    const { controls, type } = open();
    expect(controls.isValid).toBe(true);
    for (const wrong of ["0", "1.5", "1000000"]) {
      type(wrong);
      expect(controls.isValid, wrong).toBe(false);
      expect(controls.element.open).toBe(true);
    }
  });
});

describe("files", () => {
  const hostile = snapshotOf([job("wasm", [1, 2], { first_ms: 9, warmup_ms: [4] })], 'a|b,"<c>\n');

  it("are named after the models, as far as files may be called so", () => {
    expect(fileStem(snapshotOf([], "MobileNet v2", "../q8"))).toBe("MobileNet-v2-vs-q8");
    expect(fileStem(snapshotOf([], "///"))).toBe("benchmark");
    expect(fileStem(snapshotOf([], "x".repeat(200)))).toHaveLength(60);
  });

  it("hold a row per call, as the data frame does", () => {
    expect(toCsv(hostile).split("\r\n")).toEqual([
      "model,backend,series,phase,index,latency_ms",
      '"a|b,""<c>\n",wasm,,first,0,9',
      '"a|b,""<c>\n",wasm,,warmup,0,4',
      '"a|b,""<c>\n",wasm,,run,0,1',
      '"a|b,""<c>\n",wasm,,run,1,2',
      "",
    ]);
  });

  it.each(["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://x","y")'])(
    "hold no formula for a spreadsheet: %j",
    (name) => {
      const [, row] = toCsv(snapshotOf([job("wasm", [1])], name)).split(/(?<=latency_ms)\r\n/);
      expect(row).toBe(`"'${name.replaceAll('"', '""')}",wasm,,run,0,1\r\n`);
    },
  );

  it("leave every other name as it is", () => {
    const names = ["a=1", "'a", "résumé", "a b"];
    const rows = names.map((name) => toCsv(snapshotOf([job("wasm", [1])], name)).split("\r\n")[1]);
    expect(rows).toEqual(names.map((name) => `${name},wasm,,run,0,1`));
  });

  it("as Markdown have a table, the comparisons and the environment", () => {
    const environment: Environment = {
      user_agent: "HeadlessChrome/156",
      platform: "Linux",
      hardware_concurrency: 2,
      device_memory_gb: null,
      cross_origin_isolated: false,
      clock_resolution_ms: 0.1,
      worker: true,
      worker_problem: "",
      tfjs_version: "4.22.0",
      hidden_ms: 0,
    };
    expect(toMarkdown({ ...TWO, environment }).split("\n")).toEqual([
      "| Model | Backend | Against Python | Load | First run | Median | 95 % | p90 | Runs |",
      "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
      "| model | wasm | – | – | – | 11.4 ms | 10.9–12 ms | 12.6 ms | 30 |",
      "| model | cpu | – | – | – | 34.4 ms | 32.7–36 ms | 37.8 ms | 30 |",
      "",
      "- cpu takes 3.00 times as long as wasm (95 %: 3.00–3.00).",
      "",
      "TensorFlow.js 4.22.0 · in a worker · 2 cores · clock step 100 µs · Chrome (headless) 156",
      "",
    ]);
    expect(toMarkdown(hostile)).toContain('| a\\|b,"\\<c\\>\\\\n | wasm |');
  });
});

describe("copying", () => {
  function open() {
    const row = new ExportRow(make, async () => new Uint8Array(0), NEVER);
    row.draw(TWO, false);
    document.body.replaceChildren(row.element);
    const copy = row.element.querySelector("button");
    const told = row.element.querySelector(".tm-told");
    return { row, told, copy: () => copy?.click() };
  }

  it("is offered once there is something", () => {
    const { row } = open();
    expect(row.element.hidden).toBe(false);
    row.draw(TWO, true);
    expect(row.element.hidden).toBe(true);
    row.draw(snapshotOf([job("wasm", [])]), false);
    expect(row.element.hidden).toBe(true);
  });

  it("puts the table on the clipboard", async () => {
    const writeText = vi.fn(async () => undefined);
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    const { told, copy } = open();
    copy();
    await vi.waitFor(() => expect(told?.textContent).toBe("Copied."));
    expect(writeText).toHaveBeenCalledWith(toMarkdown(TWO));
  });

  it.each([
    ["is refused", { clipboard: { writeText: async () => Promise.reject(new Error("denied")) } }],
    ["is missing", {}],
  ])("selects the text where the clipboard %s", async (_, navigator) => {
    vi.stubGlobal("navigator", navigator);
    const { told, copy } = open();
    copy();
    await vi.waitFor(() => expect(told?.textContent).toContain("The browser refuses the clipboard here"));
    const area = told?.querySelector("textarea");
    expect(area?.value).toBe(toMarkdown(TWO));
    expect([area?.selectionStart, area?.selectionEnd]).toEqual([0, area?.value.length]);
  });
});
