import { X } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './icon';

interface SheetProps {
  readonly title: string;
  readonly children: ComponentChildren;
  onClose(): void;
}

/**
 * A modal sheet: from below on a phone, in the middle elsewhere. The platform's dialog keeps the focus inside, gives it
 * back, and closes on Escape or the back gesture.
 */
export function Sheet({ title, children, onClose }: SheetProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const isOurs = useRef(false);
  useLayoutEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      isOurs.current = true;
      element?.close();
      // The element may be gone before it can give the focus back itself.
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  const closeOutside = (event: MouseEvent) => {
    if (event.target === dialog.current) onClose();
  };
  const cancel = (event: Event) => {
    event.preventDefault();
    onClose();
  };
  // Without a tap or key before it, the browser closes a dialog whatever "cancel" says.
  const closed = () => {
    if (!isOurs.current) onClose();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes; the click is for the backdrop only
    <dialog
      ref={dialog}
      class="sheet"
      aria-labelledby={heading}
      onClick={closeOutside}
      onCancel={cancel}
      onClose={closed}
    >
      <div class="sheet-body">
        <header class="sheet-header">
          <h2 id={heading}>{title}</h2>
          <button type="button" class="icon-button" aria-label={t('common.close')} onClick={onClose}>
            <Icon of={X} />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  onConfirm(): void;
  onClose(): void;
}

/** Asks once before something that cannot be undone. */
export function Confirm({ title, text, action, onConfirm, onClose }: ConfirmProps) {
  const confirm = () => {
    onClose();
    onConfirm();
  };
  return (
    <Sheet title={title} onClose={onClose}>
      <p class="sheet-text">{text}</p>
      <div class="sheet-actions">
        <button type="button" class="button" onClick={onClose}>
          {t('common.cancel')}
        </button>
        <button type="button" class="button button-danger" onClick={confirm}>
          {action}
        </button>
      </div>
    </Sheet>
  );
}
