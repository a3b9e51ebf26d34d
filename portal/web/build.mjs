/**
 * Bundles the console with esbuild: one entry a page slice (SLICE/main.tsx) and one a style sheet (styles/NAME.css).
 *
 * Goes out, in portal/static: SLICE.js (an ES module), SLICE.css where the slice imports style sheets, styles/NAME.css,
 * parts/PART-HASH.js for code that slices share, and public/* copied as it is. Invariant: everything a page loads comes
 * from here; nothing is fetched from elsewhere, so a strict content security policy holds.
 * When it runs and what it may skip is hatch_build.py's matter.
 */
import { cp, readdir, rename, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const web = import.meta.dirname;
const out = join(web, "..", "static");
const fresh = join(web, "node_modules", ".fresh"); // takes the place of portal/static only once it is complete

async function entries() {
  const found = [];
  for (const entry of await readdir(web, { withFileTypes: true })) {
    const main = join(web, entry.name, "main.tsx");
    if (entry.isDirectory() && existsSync(main)) found.push({ in: main, out: entry.name });
  }
  const styles = join(web, "styles");
  for (const name of existsSync(styles) ? await readdir(styles) : []) {
    if (name.endsWith(".css")) found.push({ in: join(styles, name), out: `styles/${name.slice(0, -4)}` });
  }
  return found;
}

await rm(fresh, { recursive: true, force: true });
await build({
  entryPoints: await entries(),
  outdir: fresh,
  bundle: true,
  format: "esm",
  splitting: true,
  chunkNames: "parts/[name]-[hash]",
  assetNames: "parts/[name]-[hash]",
  minify: true,
  target: ["es2022", "chrome110", "firefox115", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".svg": "file", ".woff2": "file" },
  legalComments: "linked",
  logLevel: "warning",
});
if (existsSync(join(web, "public"))) await cp(join(web, "public"), fresh, { recursive: true });
await rm(out, { recursive: true, force: true });
await rename(fresh, out);
