/** Without a key for this long (ms), one is no longer typing. */
const typingMs = 5000;

/** Tells that one types with every key, for what was told once is forgotten after a while; and once that one stopped. */
export class TypingTeller {
  private cancel = () => {};
  private isTold = false;

  /**
   * @param tell may be called often: it is sent now and then
   * @param after runs something once after `ms`; the returned function calls it off
   */
  constructor(
    private readonly tell: (isTyping: boolean) => void,
    private readonly after: (ms: number, act: () => void) => () => void,
  ) {}

  typed(): void {
    this.cancel();
    this.cancel = this.after(typingMs, () => this.stopped());
    this.isTold = true;
    this.tell(true);
  }

  stopped(): void {
    this.cancel();
    if (this.isTold) this.tell(false);
    this.isTold = false;
  }
}

/** What stands in the field when `unsent` comes back and `current` was typed meanwhile. */
export function withUnsent(unsent: string, current: string): string {
  return current.trim() === '' ? unsent : `${unsent}\n${current}`;
}
