/**
 * A bar between two panes that sets the height of the upper one, by mouse or by arrow keys, and remembers it.
 *
 * Invariant: the height is a custom property (`--split`) of the parent, so that moving it redraws nothing.
 */
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface Props {
  label: string;
  name: string;
  initial: number;
  least: number;
  most: number;
}

const STEP = 24;

export function Splitter({ label, name, initial, least, most }: Props) {
  const bar = useRef<HTMLDivElement>(null);
  const drag = useRef<{ y: number; height: number } | null>(null);
  const [height, setHeight] = useState(() => kept(name) ?? initial);
  const within = (value: number) => Math.round(Math.max(least, Math.min(most, innerHeight * 0.7, value)));
  useLayoutEffect(() => {
    bar.current?.parentElement?.style.setProperty("--split", `${height}px`);
  }, [height]);
  const set = (value: number) => {
    setHeight(within(value));
    remember(name, within(value));
  };
  return (
    <div
      ref={bar}
      class="splitter"
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation="horizontal"
      aria-valuenow={height}
      aria-valuemin={least}
      aria-valuemax={most}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        drag.current = { y: event.clientY, height };
      }}
      onPointerMove={(event) => drag.current && set(drag.current.height + event.clientY - drag.current.y)}
      onPointerUp={() => (drag.current = null)}
      onDblClick={() => set(initial)}
      onKeyDown={(event) => {
        if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
        set(height + (event.key === "ArrowDown" ? STEP : -STEP));
        event.preventDefault();
      }}
    />
  );
}

function kept(name: string): number | null {
  try {
    const value = Number(localStorage.getItem(`muster.split.${name}`));
    return value > 0 ? value : null;
  } catch {
    return null;
  }
}

function remember(name: string, height: number): void {
  try {
    localStorage.setItem(`muster.split.${name}`, String(height));
  } catch {
    /* no storage: the height lasts as long as the page */
  }
}
