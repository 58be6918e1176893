import type { Availability } from '../model';
import { hueOf, initialsOf } from './identity';

interface AvatarProps {
  readonly jid: string;
  readonly name: string;
  readonly size?: 'small' | 'medium' | 'large';
  readonly availability?: Availability;
}

/** Initials on a rounded square. Decoration only: the name always stands beside it. */
export function Avatar({ jid, name, size = 'medium', availability }: AvatarProps) {
  return (
    <span class={`avatar avatar-${size}`} data-hued="" style={{ '--hue': String(hueOf(jid)) }} aria-hidden="true">
      {initialsOf(name)}
      {availability && availability !== 'offline' ? <span class="presence" data-presence={availability} /> : null}
    </span>
  );
}
