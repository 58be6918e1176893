import { useApp } from './app-context';

/** The toast and the words for screen readers: always there, so that changes are noticed. */
export function Notices() {
  const app = useApp();
  const toast = app.toast.value;
  return (
    <>
      <div class="visually-hidden" aria-live="polite" role="status">
        {app.announcement}
      </div>
      {toast ? (
        <div class="toast" key={toast.id}>
          <span>{toast.text}</span>
          {toast.action ? <ToastAction {...toast.action} /> : null}
        </div>
      ) : null}
    </>
  );
}

function ToastAction({ label, run }: { readonly label: string; run(): void }) {
  const app = useApp();
  const act = () => {
    app.dismiss();
    run();
  };
  return (
    <button type="button" class="toast-action" onClick={act}>
      {label}
    </button>
  );
}
