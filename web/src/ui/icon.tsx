import type { IconNode } from 'lucide';
import { h } from 'preact';

interface IconProps {
  readonly of: IconNode;
  /** Edge in CSS pixels. */
  readonly size?: number;
  /** Name for screen readers; without one the icon is decoration and something beside it carries the name. */
  readonly label?: string;
  readonly filled?: boolean;
  readonly class?: string;
}

/** A lucide icon, drawn with the stroke of the house. */
export function Icon({ of, size = 22, label, filled = false, class: className }: IconProps) {
  const named = label === undefined ? { 'aria-hidden': true as const } : { role: 'img' as const, 'aria-label': label };
  return (
    // biome-ignore lint/a11y/noSvgWithoutTitle: a title would show as a tooltip; the label is in aria-label
    <svg
      {...named}
      class={className ? `icon ${className}` : 'icon'}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={filled ? 'currentColor' : 'none'}
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
    >
      {of.map(([tag, attributes], index) => h(tag, { key: index, ...attributes }))}
    </svg>
  );
}
