/**
 * Starts the Investigations page in the shell that the server rendered.
 */
import { render } from "preact";
import { Page } from "./page";

const page = document.getElementById("page");
if (page) render(<Page />, page);
