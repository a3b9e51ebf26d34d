/**
 * Signing in: name and password against POST /session, then back to where the person came from.
 *
 * Invariant: the way back (`?return=`) is followed only inside this origin; what stands after `#` is handed on, because the
 * pages keep their state there.
 */
import { render } from "preact";
import { Page } from "./page";
import { wayBack } from "./way_back";

const page = document.getElementById("page");
if (page) render(<Page onDone={() => location.replace(wayBack(location))} />, page);
