import type { Recording } from '../model';
import workletUrl from './capture.worklet?worker&url';
import { EncoderClient } from './encoder-client';
import { sampleRate } from './encoder-protocol';
import { closeMicrophone, type Recorder, type RecorderEvents } from './recorder';

/**
 * A recorder whose samples go from the audio thread straight to an encoding worker; the page only draws.
 * Null when this browser lacks a part of it. The stream then still is open.
 */
export async function openWebCodecsRecorder(stream: MediaStream, events: RecorderEvents): Promise<Recorder | null> {
  if (typeof AudioEncoder === 'undefined' || typeof AudioWorkletNode === 'undefined') return null;
  const context = openContext(stream);
  if (!context) return null;
  const encoder = new EncoderClient();
  const { port1, port2 } = new MessageChannel();
  const [isSupported] = await Promise.all([encoder.open(port2), context.audioWorklet.addModule(workletUrl)]);
  if (!isSupported) {
    encoder.close();
    await context.close();
    return null;
  }
  const capture = new AudioWorkletNode(context, 'parley-capture', {
    numberOfInputs: 1,
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: 'explicit',
  });
  capture.port.postMessage(port1, [port1]);
  context.createMediaStreamSource(stream).connect(capture);
  await context.resume();
  return new WebCodecsRecorder(stream, context, encoder, events);
}

/** A context at the encoder's rate; null where the browser cannot resample the microphone to it. */
function openContext(stream: MediaStream): AudioContext | null {
  const context = new AudioContext({ sampleRate, latencyHint: 'interactive' });
  try {
    context.createMediaStreamSource(stream).disconnect();
    if (context.sampleRate === sampleRate) return context;
  } catch {
    // Firefox refuses a microphone of another rate: MediaRecorder takes over.
  }
  void context.close();
  return null;
}

class WebCodecsRecorder implements Recorder {
  constructor(
    private readonly stream: MediaStream,
    private readonly context: AudioContext,
    private readonly encoder: EncoderClient,
    events: RecorderEvents,
  ) {
    encoder.onLevel = (loudness, recordedMs) => events.onLevel(loudness, recordedMs);
    encoder.onFailed = () => events.onInterrupted();
    stream.getAudioTracks()[0]?.addEventListener('ended', () => events.onInterrupted(), { once: true });
  }

  begin(): void {
    this.encoder.run(true);
  }

  pause(): void {
    this.encoder.run(false);
  }

  resume(): void {
    void this.context.resume();
    this.encoder.run(true);
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
