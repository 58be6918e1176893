import type { Recording } from '../model';
import workletUrl from './capture.worklet?worker&url';
import { EncoderClient } from './encoder-client';
import { sampleRate } from './encoder-protocol';
import { closeMicrophone, resumeAudio, startAudio, watchMicrophone } from './microphone';
import type { Recorder, RecorderEvents } from './recorder';
import { RecorderFailure } from './recorder-failure';

/** The browser's parts this recorder is built from; tests hand in their own. */
export interface WebCodecsParts {
  isThere(): boolean;
  createContext(): AudioContext;
  createEncoder(): EncoderClient;
  createCapture(context: AudioContext): AudioWorkletNode;
  /** As `setTimeout`, where it is not that. */
  readonly after?: (ms: number, act: () => void) => () => void;
}

const browserParts: WebCodecsParts = {
  isThere: () => typeof AudioEncoder !== 'undefined' && typeof AudioWorkletNode !== 'undefined',
  createContext: () => new AudioContext({ sampleRate, latencyHint: 'interactive' }),
  createEncoder: () => new EncoderClient(),
  createCapture: (context) =>
    new AudioWorkletNode(context, 'parley-capture', {
      numberOfInputs: 1,
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: 'explicit',
    }),
};

/**
 * A recorder whose samples go from the audio thread straight to an encoding worker; the page only draws.
 *
 * @param onBroken called when the encoder breaks in the recording
 * @throws RecorderFailure `unsupported` when this browser lacks a part of it; whatever a part threw otherwise. The stream
 *   then still is open, and nothing else is.
 */
export async function openWebCodecsRecorder(
  stream: MediaStream,
  events: RecorderEvents,
  onBroken: () => void,
  parts: WebCodecsParts = browserParts,
): Promise<Recorder> {
  if (!parts.isThere()) throw new RecorderFailure('unsupported');
  const context = parts.createContext();
  let encoder: EncoderClient | null = null;
  try {
    const source = context.createMediaStreamSource(stream);
    // Firefox refuses a microphone of another rate, others might leave it as it is.
    if (context.sampleRate !== sampleRate) throw new RecorderFailure('unsupported');
    encoder = parts.createEncoder();
    const { port1, port2 } = new MessageChannel();
    const [isSupported] = await Promise.all([encoder.open(port2), context.audioWorklet.addModule(workletUrl)]);
    if (!isSupported) throw new RecorderFailure('unsupported');
    const capture = parts.createCapture(context);
    capture.port.postMessage(port1, [port1]);
    source.connect(capture);
    await startAudio(context, parts.after);
    return new WebCodecsRecorder(stream, context, encoder, events, onBroken);
  } catch (error) {
    encoder?.close();
    await context.close().catch(() => {});
    throw error;
  }
}

class WebCodecsRecorder implements Recorder {
  constructor(
    private readonly stream: MediaStream,
    private readonly context: AudioContext,
    private readonly encoder: EncoderClient,
    private readonly events: RecorderEvents,
    onBroken: () => void,
  ) {
    encoder.onLevel = (loudness, recordedMs) => events.onLevel(loudness, recordedMs);
    encoder.onFailed = () => {
      onBroken();
      events.onInterrupted();
    };
    watchMicrophone(stream, context, events);
  }

  begin(): void {
    this.encoder.run(true);
  }

  pause(): void {
    this.encoder.run(false);
  }

  resume(): void {
    this.encoder.run(true);
    resumeAudio(this.stream, this.context, this.events);
  }

  async snapshot(): Promise<Recording> {
    const { bytes, durationMs, waveform } = await this.encoder.pack();
    return {
      blob: new Blob([bytes], { type: 'audio/ogg; codecs=opus' }),
      durationMs: Math.round(durationMs),
      waveform,
    };
  }

  async finish(): Promise<Recording> {
    this.encoder.run(false);
    closeMicrophone(this.stream);
    try {
      return await this.snapshot();
    } finally {
      this.discard();
    }
  }

  discard(): void {
    closeMicrophone(this.stream);
    this.encoder.close();
    if (this.context.state !== 'closed') void this.context.close();
  }
}
