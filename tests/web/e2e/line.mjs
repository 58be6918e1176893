/**
 * The line between the browsers and the server: a TCP proxy that can be cut, taken down and slowed. What a browser calls
 * "offline" leaves WebSockets alone; this does not.
 */
import net from 'node:net';

export class Line {
  #server = net.createServer((browser) => this.#connect(browser));
  #pairs = new Set();
  #isDown = false;
  #bytesPerSecond = Infinity;
  #goesDownAfter = null;
  /** Heads of the requests that went to the server, in order. */
  requests = [];

  constructor(upstreamPort) {
    this.upstreamPort = upstreamPort;
  }

  listen(port) {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  /** Breaks every connection. Returns how many there were. */
  cut() {
    const count = this.#pairs.size;
    for (const { browser, server } of this.#pairs) {
      browser.resetAndDestroy();
      server.destroy();
    }
    return count;
  }

  /** Breaks every connection and lets no new one through until `up`. */
  down() {
    this.#isDown = true;
    this.cut();
  }

  up() {
    this.#isDown = false;
  }

  /**
   * Goes down by itself when a WebSocket that is opened from now on has brought so many bytes to its browser, and then
   * calls `whenDown`.
   */
  downAfter(bytes, whenDown) {
    this.#goesDownAfter = { bytes, whenDown };
  }

  /** What each connection may send to the server, in bytes a second. */
  slow(bytesPerSecond) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  close() {
    this.down();
    this.#server.close();
  }

  #connect(browser) {
    if (this.#isDown) {
      browser.resetAndDestroy();
      return;
    }
    const server = net.connect(this.upstreamPort, '127.0.0.1');
    const pair = { browser, server };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      browser.destroy();
      server.destroy();
    };
    for (const socket of [browser, server]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    server.pipe(browser);
    browser.on('data', (chunk) => {
      if (/^upgrade: *websocket/imu.test(chunk.subarray(0, 4096).toString('latin1'))) this.#watch(browser, server);
      void this.#forward(browser, server, chunk);
    });
    browser.on('end', () => server.end());
  }

  #watch(browser, server) {
    const limit = this.#goesDownAfter;
    if (limit === null) return;
    let left = limit.bytes;
    server.unpipe(browser);
    server.on('data', (chunk) => {
      if (this.#goesDownAfter !== limit) {
        browser.write(chunk);
        return;
      }
      browser.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left > 0) return;
      this.#goesDownAfter = null;
      this.down();
      limit.whenDown();
    });
    server.resume();
  }

  async #forward(browser, server, chunk) {
    this.#note(chunk);
    if (this.#bytesPerSecond === Infinity) {
      server.write(chunk);
      return;
    }
    browser.pause();
    for (let rest = chunk; rest.length > 0 && !server.destroyed; ) {
      const size = Math.min(rest.length, Math.max(1, Math.round(this.#bytesPerSecond / 20)), 65536);
      server.write(rest.subarray(0, size));
      rest = rest.subarray(size);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    browser.resume();
  }

  #note(chunk) {
    const text = chunk.subarray(0, 8192).toString('latin1');
    const line = /^(GET|HEAD|PUT|POST|PATCH|DELETE|OPTIONS) (\S+) HTTP/u.exec(text);
    if (!line) return;
    const offset = /^upload-offset: *(\d+)/imu.exec(text);
    this.requests.push({ method: line[1], path: line[2], offset: offset ? Number(offset[1]) : null, at: Date.now() });
  }
}
