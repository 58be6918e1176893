import { useMemo } from 'preact/hooks';

/** Units of the drawing: one bar every 10, half the height on each side of the middle. */
const pitch = 10;
const height = 100;

/** The wave as one path of upright strokes; a silent part is a dot. */
export function wavePath(bars: readonly number[]): string {
  return bars
    .map((bar, index) => {
      const x = index * pitch + pitch / 2;
      const half = Math.max(0.02, bar) * (height / 2);
      return `M${x} ${round(height / 2 - half)}V${round(height / 2 + half)}`;
    })
    .join('');
}

interface WaveProps {
  readonly bars: readonly number[];
  /** Share that has been played, 0 to 1. */
  readonly played?: number;
  readonly class?: string;
}

/** Bars of a voice message; what was played in the accent colour. */
export function Wave({ bars, played = 0, class: className = '' }: WaveProps) {
  const path = useMemo(() => wavePath(bars), [bars]);
  return (
    <svg
      class={`wave ${className}`}
      viewBox={`0 0 ${Math.max(1, bars.length) * pitch} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path class="wave-rest" d={path} />
      {played > 0 ? <path class="wave-played" d={path} style={{ clipPath: playedPart(played) }} /> : null}
    </svg>
  );
}

/** The box of a path ends in the middle of its outermost strokes: the first and the last bar are played whole, too. */
function playedPart(played: number): string {
  return `inset(-20% ${round((1 - played) * 102 - 2)}% -20% -2%)`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
