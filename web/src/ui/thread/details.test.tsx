// @vitest-environment happy-dom
import { render } from 'preact';
import { beforeEach, describe, expect, it } from 'vitest';
import { setCatalogue } from '../../i18n';
import { en } from '../../i18n/en';
import type { DeviceInfo } from '../../model';
import { type App, AppProvider } from '../app-context';
import { Device } from './details';

let root: HTMLElement;

beforeEach(() => {
  setCatalogue('en', en);
  root = document.createElement('div');
});

function draw(patch: Partial<DeviceInfo>): void {
  const device: DeviceInfo = {
    jid: 'bob@home',
    deviceId: 1,
    name: '',
    isThisDevice: false,
    isActive: true,
    trust: 'undecided',
    fingerprint: ['00112233', '44556677'],
    firstSeen: 0,
    ...patch,
  };
  render(
    <AppProvider value={{} as App}>
      <Device device={device} number={1} onChanged={() => undefined} />
    </AppProvider>,
    root,
  );
}

describe('a device', () => {
  it('that showed a key can be decided about', () => {
    draw({});
    expect(root.textContent).toContain('Device 1 · not decided');
    expect(root.textContent).toContain('00112233');
    expect(root.querySelectorAll('button')).toHaveLength(2);
  });

  it('without a key says so, and asks nothing', () => {
    draw({ fingerprint: [] });
    expect(root.textContent).toContain('Device 1 · no key yet');
    expect(root.querySelector('.fingerprint')).toBeNull();
    expect(root.querySelectorAll('button')).toHaveLength(0);
  });
});
