import { Download, FileText, Image } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { percentOf, sizeOf } from '../../i18n/format';
import type { FileContent, Message } from '../../model';
import { useApp } from '../app-context';
import { Icon } from '../icon';
import { Sheet } from '../sheet';

type FileMessage = Message & { readonly content: FileContent };

interface FileBodyProps {
  readonly message: FileMessage;
  readonly meta: ComponentChildren;
}

/** A file inside its bubble: pictures are shown, everything else can be saved. */
export function FileBody({ message, meta }: FileBodyProps) {
  const { content } = message;
  const isPicture = content.mediaType.startsWith('image/') && !content.isUnavailable;
  return isPicture ? <Picture message={message} meta={meta} /> : <Attachment message={message} meta={meta} />;
}

function Attachment({ message, meta }: FileBodyProps) {
  const { content } = message;
  const save = useSave(message);
  return (
    <div class="file">
      <Icon of={FileText} />
      <div class="file-words">
        <span class="file-name" dir="auto">
          {content.name}
        </span>
        <span class="file-size">{statusOf(content)}</span>
      </div>
      {content.isUnavailable ? null : (
        <button
          type="button"
          class="icon-button file-save"
          aria-label={t('file.save', { name: content.name })}
          onClick={save}
        >
          <Icon of={Download} />
        </button>
      )}
      {meta}
    </div>
  );
}

/** Its place is kept from the beginning, whatever the picture's size, so that nothing moves when it comes. */
function Picture({ message, meta }: FileBodyProps) {
  const { parley, attempt } = useApp();
  const { content } = message;
  const [isOpen, setOpen] = useState(false);
  const [isBroken, setBroken] = useState(false);
  const url = useUrl(message);
  if (isBroken) return <Attachment message={message} meta={meta} />;
  const open = () => (url === null ? void attempt(parley.file(message.id)) : setOpen(true));
  const label = t(url === null ? 'file.load' : 'file.open', { name: content.name });
  return (
    <div class="picture">
      <button type="button" class="picture-frame" onClick={open}>
        {url === null ? (
          <span class="picture-waits">
            <Icon of={Image} size={28} />
            <span class="visually-hidden">{label}</span>
            <span>{statusOf(content)}</span>
          </span>
        ) : (
          <img src={url} alt={label} onError={() => setBroken(true)} />
        )}
      </button>
      {meta}
      {isOpen && url !== null ? <Viewer message={message} url={url} onClose={() => setOpen(false)} /> : null}
    </div>
  );
}

function Viewer(props: { readonly message: FileMessage; readonly url: string; onClose(): void }) {
  const save = useSave(props.message);
  const { name } = props.message.content;
  return (
    <Sheet title={name} onClose={props.onClose}>
      <img class="picture-large" src={props.url} alt={name} />
      <button type="button" class="button button-wide" onClick={save}>
        {t('common.save')}
      </button>
    </Sheet>
  );
}

function statusOf({ progress, isUnavailable, sizeBytes }: FileContent): string {
  if (isUnavailable) return t('file.unavailable');
  if (progress !== undefined && progress < 1) return t('file.loading', { percent: percentOf(progress) });
  return sizeBytes > 0 ? t('thread.file', { size: sizeOf(sizeBytes) }) : t('file.unknown');
}

/** The stored picture as something an image can show; null as long as it is not here. */
function useUrl({ id, content }: FileMessage): string | null {
  const { parley } = useApp();
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    let made: string | null = null;
    let isGone = false;
    const show = (blob: Blob) => {
      if (isGone) return;
      made = URL.createObjectURL(blob);
      setUrl(made);
    };
    if (content.isStored) parley.file(id).then(show, () => {});
    return () => {
      isGone = true;
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [parley, id, content.isStored]);
  return url;
}

/** Fetches the file if need be and hands it to the browser's downloads. */
function useSave({ id, content }: FileMessage): () => void {
  const { parley, show } = useApp();
  const save = async () => {
    try {
      const url = URL.createObjectURL(await parley.file(id));
      const link = document.createElement('a');
      link.href = url;
      link.download = content.name;
      link.click();
      // The browser has begun to read it by then.
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch {
      show(t('file.failed'));
    }
  };
  return () => void save();
}
