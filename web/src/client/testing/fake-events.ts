/** Personal events (XEP-0163) of some people in memory, for tests of what rests on them. */
import { type OfflineError, StanzaError } from '../errors';
import { NS } from '../ns';
import { find, type XmlNode, x } from '../xml';

export class FakeEvents {
  /** Items by owner and node, separated by a space. */
  readonly nodes = new Map<string, XmlNode>();
  /** What a request for a node is answered with instead. */
  readonly refusals = new Map<string, StanzaError | OfflineError>();
  /** Owner and node of what was asked for or published, in order. */
  readonly asked: string[] = [];
  readonly published: string[] = [];

  /** What the installations of people are called, by the person and then by resource. */
  readonly names = new Map<string, Record<string, string>>();

  /** The line of one person. */
  link(own: string) {
    const sent: XmlNode[] = [];
    return {
      isOpen: true,
      sent,
      sendIfOpen: (stanza: XmlNode) => void sent.push(stanza),
      request: async (_type: 'get' | 'set', payload: XmlNode, to?: string) => this.#answer(payload, to ?? own),
    };
  }

  /** The ids on somebody's list of devices. */
  list(jid: string): string[] {
    const list = find(this.nodes.get(`${jid} ${NS.deviceList}`), NS.axolotl, 'list');
    return (list?.children ?? []).map((child) => (child as XmlNode).attrs.id ?? '');
  }

  publishList(jid: string, ids: readonly number[]): void {
    const devices = ids.map((id) => x(NS.axolotl, 'device', { id: String(id) }));
    this.nodes.set(`${jid} ${NS.deviceList}`, x(NS.pubsub, 'item', {}, x(NS.axolotl, 'list', {}, ...devices)));
  }

  #answer(payload: XmlNode, owner: string): XmlNode {
    if (payload.ns === NS.devices) {
      return this.#signedIn(owner);
    }
    const publish = find(payload, NS.pubsub, 'publish');
    const node = (publish ?? find(payload, NS.pubsub, 'items'))?.attrs.node;
    const key = `${owner} ${node}`;
    (publish ? this.published : this.asked).push(key);
    const refusal = this.refusals.get(key);
    if (refusal) {
      throw refusal;
    }
    const item = publish && find(publish, NS.pubsub, 'item');
    if (item) {
      this.nodes.set(key, item);
      return x(NS.client, 'iq');
    }
    const stored = this.nodes.get(key);
    if (!stored) {
      throw new StanzaError('item-not-found', 'cancel');
    }
    return x(NS.client, 'iq', {}, x(NS.pubsub, 'pubsub', {}, x(NS.pubsub, 'items', { node }, stored)));
  }

  #signedIn(owner: string): XmlNode {
    const devices = Object.entries(this.names.get(owner) ?? {}).map(([resource, name]) =>
      x(NS.devices, 'device', { resource, name }),
    );
    return x(NS.client, 'iq', {}, x(NS.devices, 'devices', {}, ...devices));
  }
}
