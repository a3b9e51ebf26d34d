/**
 * A Lucide icon as inline SVG, drawn in the colour of the text around it.
 *
 * Invariant: decoration only; the word beside it or the label of its button says what it means.
 */
import { h } from "preact";
import type { IconNode } from "lucide";

interface Props {
  node: IconNode;
  size?: number;
  class?: string;
}

export function Icon({ node, size = 16, class: extra = "" }: Props) {
  return (
    <svg
      class={`icon ${extra}`}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {node.map(([tag, attributes]) => h(tag, attributes as Record<string, string>))}
    </svg>
  );
}

/** The product's mark: a squad of nine, three of them called up. */
export function Mark({ size = 22 }: { size?: number }) {
  const called = new Set([2, 4, 6]);
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 22 22" aria-hidden="true">
      {Array.from({ length: 9 }, (_, index) => (
        <rect
          key={index}
          class={called.has(index) ? "mark-called" : "mark-rest"}
          x={1 + (index % 3) * 7.25}
          y={1 + Math.floor(index / 3) * 7.25}
          width="5.5"
          height="5.5"
          rx="1.6"
        />
      ))}
    </svg>
  );
}
