/** Runs on the audio thread: hands the microphone's samples to the encoder's port, untouched, in 20 ms pieces. */
import { frameSize } from './encoder-protocol';

interface CaptureScope {
  registerProcessor(name: string, processor: new () => unknown): void;
  AudioWorkletProcessor: new () => { readonly port: MessagePort };
}

const scope = globalThis as unknown as CaptureScope;

class Capture extends scope.AudioWorkletProcessor {
  private target: MessagePort | null = null;
  private frame = new Float32Array(frameSize);
  private filled = 0;

  constructor() {
    super();
    this.port.onmessage = (event: MessageEvent<MessagePort>) => {
      this.target = event.data;
    };
  }

  process(inputs: Float32Array[][]): boolean {
    const samples = inputs[0]?.[0];
    if (samples) this.push(samples);
    return true;
  }

  private push(samples: Float32Array): void {
    let offset = 0;
    while (offset < samples.length) {
      const taken = Math.min(samples.length - offset, frameSize - this.filled);
      this.frame.set(samples.subarray(offset, offset + taken), this.filled);
      this.filled += taken;
      offset += taken;
      if (this.filled === frameSize) this.flush();
    }
  }

  private flush(): void {
    this.target?.postMessage(this.frame, [this.frame.buffer]);
    this.frame = new Float32Array(frameSize);
    this.filled = 0;
  }
}

scope.registerProcessor('parley-capture', Capture);
