// @vitest-environment happy-dom
import { signal } from '@preact/signals';
import { render } from 'preact';
import { act } from 'preact/test-utils';
import { beforeEach, describe, expect, it } from 'vitest';
import { setCatalogue } from '../../i18n';
import { en } from '../../i18n/en';
import type { Message } from '../../model';
import { type App, AppProvider } from '../app-context';
import { Trouble } from './trouble';

const BOB = 'bob@home';

let discarded: string[];
let root: HTMLElement;

beforeEach(() => {
  setCatalogue('en', en);
  discarded = [];
  root = document.body.appendChild(document.createElement('div'));
  location.hash = '';
  return () => {
    act(() => render(null, root));
    root.remove();
  };
});

function draw(patch: Partial<Message>): void {
  const parley = {
    contacts: signal([]),
    discard: async (id: string) => void discarded.push(id),
  } as unknown as App['parley'];
  const app = { parley, attempt: async (work: Promise<unknown>) => work.then(() => true) } as unknown as App;
  const message: Message = {
    id: 'm',
    conversation: BOB,
    isOwn: true,
    sender: 'alice@home',
    at: 0,
    content: { kind: 'text', text: 'hello' },
    confidentiality: 'sealed',
    ...patch,
  };
  act(() =>
    render(
      <AppProvider value={app}>
        <Trouble message={message} name="Bob" />
      </AppProvider>,
      root,
    ),
  );
}

function button(text: string, inside: ParentNode = root): HTMLButtonElement | undefined {
  return [...inside.querySelectorAll('button')].find((one) => one.textContent === text);
}

describe('deleting what was not sent', () => {
  const reasons = ['connection', 'trust', 'own-trust', 'devices', 'upload', 'server', undefined] as const;

  it.each(reasons)('is offered whatever a message waits for: %s', (waitingFor) => {
    draw({ state: 'waiting', ...(waitingFor && { waitingFor }) });
    expect(button('Delete')).toBeDefined();
  });

  it('is not offered for what is on its way', () => {
    draw({ state: 'sending' });
    expect(button('Delete')).toBeUndefined();
  });

  it('asks once', () => {
    draw({ state: 'failed', failure: 'unreachable' });
    act(() => button('Delete')?.click());
    expect(discarded).toEqual([]);
    const dialog = root.querySelector('dialog') as HTMLDialogElement;
    act(() => button('Delete', dialog)?.click());
    expect(discarded).toEqual(['m']);
    expect(root.querySelector('dialog')).toBeNull();
  });
});

describe('a message that waits for a decision', () => {
  it('about a device of one’s own leads to the settings', () => {
    draw({ state: 'waiting', waitingFor: 'own-trust' });
    expect(root.textContent).toContain('your own devices');
    button('Check your devices')?.click();
    expect(location.hash).toBe('#/settings');
  });

  it('about a device of the other names the other', () => {
    draw({ state: 'waiting', waitingFor: 'trust' });
    expect(root.textContent).toContain('a device of Bob');
    expect(button('Check devices')).toBeDefined();
  });
});
