import type { RecorderEvents } from './recorder';
import { type RecorderErrorCode, RecorderFailure } from './recorder-failure';

/** How long an audio context may take to run. */
const startMs = 5000;

/**
 * Asks for the microphone; the browser asks the person the first time.
 *
 * @throws RecorderFailure
 */
export async function openMicrophone(): Promise<MediaStream> {
  // Undefined outside secure contexts, whatever the type says.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices?.getUserMedia) throw new RecorderFailure('unsupported');
  try {
    return await devices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new RecorderFailure(microphoneErrorOf(error), { cause: error });
  }
}

/** Stops the microphone's tracks, so that the browser's indicator goes out. */
export function closeMicrophone(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** Tells of what happens to an open microphone: a phone call mutes it, or halts what listens to it (iOS). */
export function watchMicrophone(stream: MediaStream, context: AudioContext, events: RecorderEvents): void {
  const [track] = stream.getAudioTracks();
  track?.addEventListener('ended', () => events.onInterrupted(), { once: true });
  track?.addEventListener('mute', () => events.onSuspended());
  context.addEventListener('statechange', () => {
    if (context.state !== 'running' && context.state !== 'closed') events.onSuspended();
  });
}

/** Has a recording go on; `onSuspended` tells when the system does not give the microphone back yet. */
export function resumeAudio(stream: MediaStream, context: AudioContext, events: RecorderEvents, after = later): void {
  if (stream.getAudioTracks()[0]?.muted) events.onSuspended();
  else startAudio(context, after).catch(() => events.onSuspended());
}

/**
 * Has an audio context run. Browsers that do not allow it yet leave the question open for ever.
 *
 * @throws RecorderFailure `failed` when it does not run in time, or what the context throws
 */
export function startAudio(context: AudioContext, after = later): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = after(startMs, () => reject(new RecorderFailure('failed')));
    context.resume().then(resolve, reject).finally(cancel);
  });
}

function later(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
}

/** Media Capture and Streams §10.3: what each exception of getUserMedia means for the person. */
function microphoneErrorOf(error: unknown): RecorderErrorCode {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'no-microphone';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}
