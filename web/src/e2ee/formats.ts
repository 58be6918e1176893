import type { FormatSpec } from './format';
import { LEGACY } from './legacy';
import { OMEMO2 } from './omemo2';
import type { Format } from './types';

const SPECS: Readonly<Record<Format, FormatSpec>> = { legacy: LEGACY, omemo2: OMEMO2 };

/** The parameters of a session format. */
export function specOf(format: Format): FormatSpec {
  return SPECS[format];
}
