/**
 * Buttons: one form for all of them, so that size, focus ring and disabled look are the same everywhere.
 *
 * `look`: primary (one a view), plain (bordered), quiet (no border), danger. An icon alone needs `label`, which names it and
 * shows on hover.
 */
import type { ComponentChildren, Ref } from "preact";
import type { IconNode } from "lucide";
import { Icon } from "./icon";

interface Props {
  look?: "primary" | "plain" | "quiet" | "danger";
  icon?: IconNode;
  label?: string;
  type?: "button" | "submit";
  disabled?: boolean;
  pressed?: boolean;
  small?: boolean;
  tabIndex?: number;
  class?: string;
  buttonRef?: Ref<HTMLButtonElement>;
  onClick?: (event: MouseEvent) => void;
  children?: ComponentChildren;
}

export function Button(props: Props) {
  const alone = props.icon !== undefined && props.children === undefined;
  const classes = ["button", `button-${props.look ?? "plain"}`];
  if (props.small) classes.push("button-small");
  if (alone) classes.push("button-icon");
  if (props.class) classes.push(props.class);
  return (
    <button
      ref={props.buttonRef ?? null}
      type={props.type ?? "button"}
      class={classes.join(" ")}
      disabled={props.disabled ?? false}
      aria-label={props.label}
      aria-pressed={props.pressed}
      title={props.label}
      tabIndex={props.tabIndex}
      onClick={props.onClick}
    >
      {props.icon && <Icon node={props.icon} size={props.small ? 14 : 16} />}
      {props.children}
    </button>
  );
}
