import type { Recording } from '../model';
import { EncoderClient } from './encoder-client';
import { bitrate } from './encoder-protocol';
import { closeMicrophone, type Recorder, type RecorderEvents, RecorderFailure } from './recorder';
import { loudnessOf, rms, waveformOf } from './waveform';

/** Containers of MediaRecorder that hold Opus, the one that needs no repacking first. */
const mediaTypes = ['audio/ogg; codecs=opus', 'audio/webm; codecs=opus', 'audio/mp4; codecs=opus'];
const levelPeriodMs = 40;

/**
 * A recorder for browsers without an Opus encoder of their own to program.
 *
 * @throws RecorderFailure `unsupported` when MediaRecorder writes no Opus either
 */
export async function openMediaRecorder(stream: MediaStream, events: RecorderEvents): Promise<Recorder> {
  const mimeType =
    typeof MediaRecorder === 'undefined' ? undefined : mediaTypes.find((type) => MediaRecorder.isTypeSupported(type));
  if (mimeType === undefined) throw new RecorderFailure('unsupported');
  const recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: bitrate });
  const context = new AudioContext();
  await context.resume();
  return new FallbackRecorder(stream, recorder, context, events);
}

class FallbackRecorder implements Recorder {
  private readonly chunks: Blob[] = [];
  private readonly meter: AnalyserNode;
  private readonly samples: Float32Array<ArrayBuffer>;
  private readonly timer: ReturnType<typeof setInterval>;
  private recordedMs = 0;
  private runningSince: number | null = null;

  constructor(
    private readonly stream: MediaStream,
    private readonly recorder: MediaRecorder,
    private readonly context: AudioContext,
    private readonly events: RecorderEvents,
  ) {
    this.meter = context.createAnalyser();
    this.meter.fftSize = 1024;
    this.samples = new Float32Array(this.meter.fftSize);
    context.createMediaStreamSource(stream).connect(this.meter);
    recorder.ondataavailable = (event) => {
      if (event.data.size > 0) this.chunks.push(event.data);
    };
    recorder.onerror = () => events.onInterrupted();
    stream.getAudioTracks()[0]?.addEventListener('ended', () => events.onInterrupted(), { once: true });
    this.timer = setInterval(() => this.measure(), levelPeriodMs);
  }

  begin(): void {
    this.recorder.start();
    this.runningSince = performance.now();
  }

  pause(): void {
    if (this.recorder.state === 'recording') this.recorder.pause();
    this.recordedMs = this.elapsed();
    this.runningSince = null;
  }

  resume(): void {
    this.recorder.resume();
    this.runningSince = performance.now();
  }

  async snapshot(): Promise<Recording> {
    if (this.recorder.state !== 'inactive') await this.next('dataavailable', () => this.recorder.requestData());
    return this.build();
  }

  async finish(): Promise<Recording> {
    if (this.recorder.state !== 'inactive') await this.next('stop', () => this.recorder.stop());
    try {
      return await this.build();
    } finally {
      this.discard();
    }
  }

  discard(): void {
    clearInterval(this.timer);
    if (this.recorder.state !== 'inactive') this.recorder.stop();
    closeMicrophone(this.stream);
    if (this.context.state !== 'closed') void this.context.close();
  }

  private async build(): Promise<Recording> {
    const raw = new Blob(this.chunks, { type: this.recorder.mimeType });
    const encoder = new EncoderClient();
    try {
      const { bytes } = await encoder.repack(raw, 'ogg');
      const blob = new Blob([bytes], { type: 'audio/ogg; codecs=opus' });
      return { blob, ...(await waveformOf(blob)) };
    } finally {
      encoder.close();
    }
  }

  private next(event: 'dataavailable' | 'stop', act: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.recorder.addEventListener(event, () => resolve(), { once: true });
      act();
    });
  }

  private elapsed(): number {
    return this.recordedMs + (this.runningSince === null ? 0 : performance.now() - this.runningSince);
  }

  private measure(): void {
    if (this.runningSince === null) return;
    this.meter.getFloatTimeDomainData(this.samples);
    this.events.onLevel(loudnessOf(rms(this.samples)), this.elapsed());
  }
}
