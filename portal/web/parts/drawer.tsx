/**
 * The drawer at the right: details beside the work, never over it as a modal.
 *
 * Invariant: focus moves in when it opens and returns to where it was when it closes; Esc inside closes it.
 */
import type { ComponentChildren } from "preact";
import { ArrowLeft, X } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "./button";

interface Props {
  title: string;
  subtitle?: ComponentChildren;
  tools?: ComponentChildren;
  footer?: ComponentChildren;
  back?: { label: string; go: () => void } | undefined;
  onClose: () => void;
  children: ComponentChildren;
}

export function Drawer(props: Props) {
  const root = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    root.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const keys = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    props.onClose();
  };
  return (
    <aside class="drawer" aria-label={props.title} ref={root} tabIndex={-1} onKeyDown={keys}>
      <header class="drawer-head">
        {props.back && <Button look="quiet" icon={ArrowLeft} label={props.back.label} onClick={props.back.go} />}
        <div class="drawer-titles">
          <h2>{props.title}</h2>
          {props.subtitle && <div class="drawer-subtitle">{props.subtitle}</div>}
        </div>
        {props.tools}
        <Button look="quiet" icon={X} label="Close (Esc)" onClick={props.onClose} />
      </header>
      <div class="drawer-body">{props.children}</div>
      {props.footer && <footer class="drawer-foot">{props.footer}</footer>}
    </aside>
  );
}
