/** Addresses (RFC 7622), as far as a client has to take them apart; the server decides what is valid. */

/** The address without its resource. */
export function bareOf(jid: string): string {
  const slash = jid.indexOf('/');
  return slash < 0 ? jid : jid.slice(0, slash);
}

/** What stands behind the first slash, or an empty string. */
export function resourceOf(jid: string): string {
  const slash = jid.indexOf('/');
  return slash < 0 ? '' : jid.slice(slash + 1);
}

/** The part before the @, or an empty string for a server's address. */
export function localOf(jid: string): string {
  const bare = bareOf(jid);
  const at = bare.indexOf('@');
  return at < 0 ? '' : bare.slice(0, at);
}

export function domainOf(jid: string): string {
  const bare = bareOf(jid);
  return bare.slice(bare.indexOf('@') + 1);
}

/**
 * Reads what a person typed as an address.
 *
 * @param typed `name` or `name@domain`, in any case and with white space around it.
 * @param defaultDomain Added to a bare name.
 * @returns The bare address in lower case, or null when it cannot be one.
 */
export function parseAddress(typed: string, defaultDomain: string): string | null {
  const trimmed = typed.trim().normalize('NFC').toLowerCase();
  const full = trimmed.includes('@') ? trimmed : `${trimmed}@${defaultDomain}`;
  // RFC 7622 section 3.3.1 excludes these from the local part.
  return /^[^\s"&'/:<>@]{1,1023}@[^\s"&'/<>@]{1,1023}$/.test(full) ? full : null;
}
