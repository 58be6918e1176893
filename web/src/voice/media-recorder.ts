import type { Recording } from '../model';
import { EncoderClient } from './encoder-client';
import { bitrate } from './encoder-protocol';
import { closeMicrophone, resumeAudio, startAudio, watchMicrophone } from './microphone';
import type { Recorder, RecorderEvents } from './recorder';
import { RecorderFailure } from './recorder-failure';
import { loudnessOf, rms, waveformOf } from './waveform';

/** Containers of MediaRecorder that hold Opus, the one that needs no repacking first. */
const mediaTypes = ['audio/ogg; codecs=opus', 'audio/webm; codecs=opus', 'audio/mp4; codecs=opus'];
const levelPeriodMs = 40;

/**
 * A recorder for browsers without an Opus encoder of their own to program.
 *
 * @throws RecorderFailure `unsupported` when MediaRecorder writes no Opus either. The stream then still is open.
 */
export async function openMediaRecorder(stream: MediaStream, events: RecorderEvents): Promise<Recorder> {
  const mimeType =
    typeof MediaRecorder === 'undefined' ? undefined : mediaTypes.find((type) => MediaRecorder.isTypeSupported(type));
  if (mimeType === undefined) throw new RecorderFailure('unsupported');
  const recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: bitrate });
  const context = new AudioContext();
  try {
    await startAudio(context);
    return new FallbackRecorder(stream, recorder, context, events);
  } catch (error) {
    await context.close().catch(() => {});
    throw error;
  }
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
    watchMicrophone(stream, context, events);
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
    resumeAudio(this.stream, this.context, this.events);
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
    const blob = new Blob([await toOgg(raw)], { type: 'audio/ogg; codecs=opus' });
    return { blob, ...(await waveformOf(blob)) };
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

/** @throws RecorderFailure `unpacked` when the worker is not to be had, or cannot read what the browser wrote */
async function toOgg(raw: Blob): Promise<ArrayBuffer> {
  try {
    const encoder = new EncoderClient();
    try {
      return (await encoder.repack(raw, 'ogg')).bytes;
    } finally {
      encoder.close();
    }
  } catch (error) {
    throw new RecorderFailure('unpacked', { cause: error });
  }
}
