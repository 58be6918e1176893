/** What others may ask of the app. */
import { StanzaError } from './errors';
import { bareOf } from './jid';
import type { Link } from './link';
import { NS } from './ns';
import { discoInfo } from './presence';
import { find, x } from './xml';

/** Answers whether it is there (XEP-0199), what it can do (XEP-0030) and which program it is (XEP-0092). */
export function answerQuestions(link: Pick<Link, 'onIq'>, own: string): void {
  link.onIq('get', NS.ping, () => null);
  link.onIq('get', NS.discoInfo, (iq) => discoInfo(iq));
  link.onIq('get', NS.version, (iq) => {
    // The version tells an attacker more than a friend: only our own account learns it.
    if (bareOf(iq.attrs.from ?? '') !== own || !find(iq, NS.version, 'query')) {
      throw new StanzaError('service-unavailable', 'cancel');
    }
    return x(NS.version, 'query', {}, x(NS.version, 'name', {}, 'Parley'));
  });
}
