/** Entry of solo.js: shows the benchmark of a page that needs no kernel, as a front end shows the widget. */
import widget from "../widget";
import { PAGE_VERSION, type PageData } from "./pageData";
import { pageFiles } from "./pageFiles";
import { SoloKernel } from "./soloKernel";

const FROM_DISK =
  "A browser that opened this page from the disk reads no files beside it. Serve the directory, for example with " +
  "'python -m http.server', or make the page with single_file=True (--single-file).";

function start(el: HTMLElement): void {
  const data: PageData = JSON.parse(document.getElementById("tfjs-magic-data")?.textContent ?? "null");
  if (data.version !== PAGE_VERSION)
    throw new Error("The script beside this page is of another version of tfjs_magic.");
  const alone = document.querySelector("script[data-file]") === null;
  if (alone && location.protocol === "file:") throw new Error(FROM_DISK);
  widget().render({ model: new SoloKernel(data, pageFiles(document)), el });
}

const place = document.getElementById("tfjs-magic");
if (place) {
  try {
    start(place);
  } catch (error) {
    place.setAttribute("role", "alert");
    place.textContent = error instanceof Error ? error.message : String(error);
  }
}
