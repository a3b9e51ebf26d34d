/**
 * What the server wrote into the page: who is signed in, the CSRF token, the zones, and the nonce for editor styles.
 *
 * Comes in: `<script type="application/json" id="boot">` and `<meta name="csp-nonce">`. Invariant: a missing part has a
 * harmless default, so that a page always starts and the first request tells what is wrong.
 */
import type { Account } from "./wire";

export interface Boot {
  account: Account;
  csrf: string;
  catalog_version: string;
  zone: string;
  site: string;
  version: string;
}

function read(): Boot {
  const element = document.getElementById("boot");
  const given = element?.textContent ? (JSON.parse(element.textContent) as Partial<Boot>) : {};
  return {
    account: given.account ?? { name: "", zone: "", permissions: [] },
    csrf: given.csrf ?? "",
    catalog_version: given.catalog_version ?? "",
    zone: given.zone ?? "UTC",
    site: given.site ?? "",
    version: given.version ?? "",
  };
}

export const boot: Boot = read();

/** Whether this account may do something; an account that lists nothing is let try. */
export function may(permission: string): boolean {
  const { permissions } = boot.account;
  return permissions.length === 0 || permissions.includes(permission);
}

/** The nonce that lets the editor add its style sheet under the content security policy. */
export function nonce(): string {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]');
  return meta ? meta.nonce || meta.content : "";
}
