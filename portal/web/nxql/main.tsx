/**
 * The editor of NXQL queries, at the address where people of the classic interfaces look for it.
 *
 * Invariant: what is asked goes to the Web API of the same Engine, and stands in the address of the page.
 */
import { render } from "preact";
import { Page } from "./page";

const page = document.getElementById("page");
if (page) render(<Page />, page);
