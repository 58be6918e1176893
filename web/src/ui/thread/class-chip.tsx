import { Archive, Building2, type IconNode, LockOpen, ShieldCheck } from 'lucide';
import { useState } from 'preact/hooks';
import { t } from '../../i18n';
import type { Confidentiality } from '../../model';
import { Icon } from '../icon';
import { shortNameOf } from '../identity';
import { Sheet } from '../sheet';

export const classIcons: Readonly<Record<Confidentiality, IconNode>> = {
  sealed: ShieldCheck,
  'sealed+archive': Archive,
  managed: Building2,
};

/** The name a class has in style sheets. */
export function classStyleOf(of: Confidentiality): string {
  return of === 'sealed+archive' ? 'archive' : of;
}

interface ClassChipProps {
  readonly of: Confidentiality;
  /** They write unsealed, whatever the class says about what we write. */
  readonly isPlainFromThem: boolean;
  readonly name: string;
}

/** The class of a conversation, always in its header; a tap explains who can read it. */
export function ClassChip({ of, isPlainFromThem, name }: ClassChipProps) {
  const [isExplained, setExplained] = useState(false);
  const label = t(isPlainFromThem ? 'class.plain' : `class.${of}`);
  const values = { name: shortNameOf(name) };
  return (
    <>
      <button
        type="button"
        class={`chip chip-${isPlainFromThem ? 'plain' : classStyleOf(of)}`}
        aria-label={t('class.explain', { class: label })}
        aria-haspopup="dialog"
        onClick={() => setExplained(true)}
      >
        <Icon of={isPlainFromThem ? LockOpen : classIcons[of]} size={14} />
        {label}
      </button>
      {isExplained ? (
        <Sheet title={label} onClose={() => setExplained(false)}>
          <p class="sheet-text">{t(isPlainFromThem ? 'class.plain.text' : `class.${of}.text`, values)}</p>
        </Sheet>
      ) : null}
    </>
  );
}
