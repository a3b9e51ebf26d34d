/**
 * Starts the Investigations page in the shell that the server rendered.
 */
import { render } from "preact";
import { Page } from "./page";

const app = document.getElementById("app");
if (app) render(<Page />, app);
