/** Entry of page.js. */
import { leave } from "../pageScript";
import { mount } from "./page";
import { runWithoutView } from "./withoutView";

leave("page", { mount, runWithoutView });
