/**
 * Where to go after signing in.
 */

const HOME = "/";

/** The address in `?return=` if it is a path of this origin, with the part after `#`; else the first page. */
export function wayBack({ search, hash, origin }: Pick<Location, "search" | "hash" | "origin">): string {
  const wanted = new URLSearchParams(search).get("return") ?? HOME;
  try {
    const url = new URL(wanted, origin);
    const inside = url.origin === origin && wanted.startsWith("/") && !/^\/(?:sign-in|api\/)/.test(url.pathname);
    return inside ? `${url.pathname}${url.search}${hash || url.hash}` : HOME;
  } catch {
    return HOME;
  }
}
